/** A certificate for clients that nobody has signed but its owner, and its key. For tests only. */
import type * as NodeTls from "@finwait/node/NodeTls"
import * as Redacted from "effect/Redacted"

const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdr5lTW5BcH3XOzt0
uZz1JsslARoalMloxxxubmkwHgqhRANCAAQWu4atiLgc15XtsGRd0o+L1YRB4EEN
5Dum6Pq9xO2KxGIX8ER4foXSJeSp8WoH7JKtZT6AW2f5HMZjrRXh7GVM
-----END PRIVATE KEY-----
`

const cert = `-----BEGIN CERTIFICATE-----
MIIBkzCCATigAwIBAgIUT/KZyTyihZOqE+Hsie9ZZfEMjSAwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIc3RyYW5nZXIwIBcNMjYxMTI1MTY0NzEyWhgPMjEyNjExMDEx
NjQ3MTJaMBMxETAPBgNVBAMMCHN0cmFuZ2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEFruGrYi4HNeV7bBkXdKPi9WEQeBBDeQ7puj6vcTtisRiF/BEeH6F0iXk
qfFqB+ySrWU+gFtn+RzGY60V4exlTKNoMGYwHQYDVR0OBBYEFChwdfFHBTfNvAao
C1lFCtuOwYyHMB8GA1UdIwQYMBaAFChwdfFHBTfNvAaoC1lFCtuOwYyHMA8GA1Ud
EwEB/wQFMAMBAf8wEwYDVR0lBAwwCgYIKwYBBQUHAwIwCgYIKoZIzj0EAwIDSQAw
RgIhANJu8zWkuDSKf9kf5xnQmIqaYPR34W2XQX+46k6PPd6xAiEAzk7gehWtsa0E
c7X4HM0KIi1qCDch4uLZQ8sCYwy2tnw=
-----END CERTIFICATE-----
`

export const stranger: NodeTls.Identity = { key: Redacted.make(key), cert }

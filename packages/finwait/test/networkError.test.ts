import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ConnectionError from "finwait/ConnectionError"
import * as Network from "finwait/Network"
import * as NetworkError from "finwait/NetworkError"
import * as SimNetwork from "finwait/testing/SimNetwork"
import { acceptErrorClass } from "finwait/Transport"

describe("a network error", () => {
  it("names the operation, the address and the reason", () => {
    const reasons: ReadonlyArray<readonly [NetworkError.Reason, string]> = [
      [new NetworkError.AddressInvalid({ problem: "the path is empty" }), "the path is empty"],
      [new NetworkError.AddressInUse(), "the address is in use by another listener"],
      [new NetworkError.AddressNotAvailable({ code: "ENOENT" }), "there is no such folder (ENOENT)"],
      [new NetworkError.PathTooLong({ pathBytes: 120, pathBytesMax: 107 }), "the path has 120 bytes, the limit is 107"],
      [new NetworkError.PermissionDenied({ code: "EACCES" }), "permission denied (EACCES)"],
      [new NetworkError.Refused(), "refused: nobody listens there"],
      [new NetworkError.HostNotFound({ code: "ENOTFOUND" }), "the host could not be resolved (ENOTFOUND)"],
      [new NetworkError.TimedOut({ connectTimeoutMillis: 10_000 }), "no connection within connectTimeout 10000 ms"],
      [new NetworkError.SystemFailure({ code: "EIO", detail: "input/output error" }), "EIO: input/output error"]
    ]
    for (const [reason, text] of reasons) {
      const error = new NetworkError.NetworkError({ operation: "listen", address: "tcp 127.0.0.1:7000", reason })
      assert.strictEqual(error.message, `listen tcp 127.0.0.1:7000: ${text}`)
    }
  })

  it("finds the reason behind a code of the system", () => {
    const expected: Record<string, string> = {
      EADDRINUSE: "AddressInUse",
      EADDRNOTAVAIL: "AddressNotAvailable",
      ENOTDIR: "AddressNotAvailable",
      ENOENT: "AddressNotAvailable",
      EACCES: "PermissionDenied",
      EPERM: "PermissionDenied",
      ECONNREFUSED: "Refused",
      ENOTFOUND: "HostNotFound",
      EAI_AGAIN: "HostNotFound",
      EAI_NODATA: "HostNotFound",
      EAI_NONAME: "HostNotFound",
      EWHATEVER: "SystemFailure"
    }
    for (const [code, tag] of Object.entries(expected)) {
      assert.strictEqual(NetworkError.reasonFromCode(code, "detail")._tag, tag, code)
    }
    assert.strictEqual(NetworkError.reasonFromCode("EWHATEVER", "detail").message, "EWHATEVER: detail")
  })

  it.effect("tells of an address that is none, before anything is dialled or bound", () =>
    Effect.gen(function* () {
      const dialled = yield* Effect.flip(Network.connect("localhost:80"))
      assert.strictEqual(dialled.message, 'connect "localhost:80": neither tcp: nor unix:')
      const bound = yield* Effect.flip(Network.listen("tcp://localhost:99999"))
      assert.strictEqual(bound.message, 'listen "tcp://localhost:99999": port 99999 is not between 0 and 65535')
    }).pipe(Effect.provide(SimNetwork.layer()))
  )
})

describe("a connection error", () => {
  it("names the operation, the address and the reason", () => {
    const reasons: ReadonlyArray<readonly [typeof ConnectionError.Reason.Type, string]> = [
      [new ConnectionError.Closed(), "closed by this side"],
      [new ConnectionError.Reset({ code: "ECONNRESET" }), "reset by the peer"],
      [new ConnectionError.Reset({ code: "EPIPE" }), "broken (EPIPE)"],
      [new ConnectionError.Busy(), "another fiber is reading already"],
      [new ConnectionError.TooMuch({ bytesMax: 5 }), "more than bytesMax 5 bytes"]
    ]
    for (const [reason, text] of reasons) {
      const error = new ConnectionError.ConnectionError({ operation: "read", address: "unix /run/app.sock", reason })
      assert.strictEqual(error.message, `read unix /run/app.sock: ${text}`)
    }
  })
})

describe("a failed accept", () => {
  it("has a class by its code, and one that nobody has met is fatal", () => {
    for (const code of ["ECONNABORTED", "EINTR", "EPROTO", "ENETUNREACH"]) {
      assert.strictEqual(acceptErrorClass(code), "retry", code)
    }
    for (const code of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]) {
      assert.strictEqual(acceptErrorClass(code), "backOff", code)
    }
    for (const code of ["EBADF", "ECANCELED", "ERR_SERVER_NOT_RUNNING"]) {
      assert.strictEqual(acceptErrorClass(code), "stop", code)
    }
    for (const code of ["EWHATEVER", "", "EFAULT"]) assert.strictEqual(acceptErrorClass(code), "fatal", code)
  })

  it("knows no codes but its own: what every object has is no class", () => {
    for (const code of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      assert.strictEqual(acceptErrorClass(code), "fatal", code)
    }
  })
})

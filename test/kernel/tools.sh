#!/usr/bin/env bash
# Installs what suites need and npm does not have, as root on Debian: what test/kernel.test.ts speaks to the kernel
# through, what packages/node/test/cost.test.ts counts system calls with, the foreign clients of test/foreign, and the
# clients and the proxy of test/httpClients.test.ts and test/httpNginx.test.ts.
# Whatever cannot be had costs its suite, which says so and is skipped, and nothing else.
set -euo pipefail
tools=()
command -v ip >/dev/null || tools+=(iproute2)
command -v tcpdump >/dev/null || tools+=(tcpdump)
command -v socat >/dev/null || tools+=(socat)
command -v strace >/dev/null || tools+=(strace)
command -v python3 >/dev/null || tools+=(python3)
command -v openssl >/dev/null || tools+=(openssl)
command -v curl >/dev/null || tools+=(curl)
command -v h2load >/dev/null || tools+=(nghttp2-client)
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || tools+=(nginx)

# Larger than all the others together, and so on its own: what it costs when it cannot be had is the browser's suite.
browser=()
command -v chromium >/dev/null || browser+=(chromium)

if ((${#tools[@]} + ${#browser[@]} == 0)) || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# Nothing that is installed is to be started as a service: nginx would be.
export RUNLEVEL=1
timeout -k 10 180 apt-get -qq -o DPkg::Lock::Timeout=60 update || echo "could not update the lists of packages"
install() {
  (($# == 0)) || timeout -k 10 300 apt-get -qq -o DPkg::Lock::Timeout=60 install -y --no-install-recommends "$@" ||
    echo "could not install $*: what needs them will be skipped"
}
install "${tools[@]}"
install "${browser[@]}"

#!/usr/bin/env bash
# Installs what test/kernel.test.ts speaks to the kernel through, and what packages/node/test/cost.test.ts counts system
# calls with, as root on Debian. Whatever cannot be had costs its suite, which says so and is skipped, and nothing else.
set -euo pipefail
tools=()
command -v ip >/dev/null || tools+=(iproute2)
command -v tcpdump >/dev/null || tools+=(tcpdump)
command -v socat >/dev/null || tools+=(socat)
command -v strace >/dev/null || tools+=(strace)
if ((${#tools[@]} > 0)) && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  (
    timeout -k 10 180 apt-get -qq -o DPkg::Lock::Timeout=60 update &&
      timeout -k 10 300 apt-get -qq -o DPkg::Lock::Timeout=60 install -y --no-install-recommends "${tools[@]}"
  ) || echo "could not install ${tools[*]}: what needs them will be skipped"
fi


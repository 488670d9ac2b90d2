#!/usr/bin/env bash
# Installs what test/kernel.test.ts speaks to the kernel through, as root on Debian. Whatever cannot be had costs that
# suite, which says so and is skipped, and nothing else.
set -euo pipefail
tools=()
command -v ip >/dev/null || tools+=(iproute2)
command -v tcpdump >/dev/null || tools+=(tcpdump)
command -v socat >/dev/null || tools+=(socat)
if ((${#tools[@]} > 0)) && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  (
    timeout -k 10 180 apt-get -qq -o DPkg::Lock::Timeout=60 update &&
      timeout -k 10 300 apt-get -qq -o DPkg::Lock::Timeout=60 install -y --no-install-recommends "${tools[@]}"
  ) || echo "could not install ${tools[*]}: the suite on the kernel's own terms will be skipped"
fi


#!/bin/sh
# Makes a fresh checkout able to run: npm packages, bundles, and the few system packages an edge node needs.
# Everything is checked first and installed only when missing, so a second run costs well under a second.
#   prepare.sh            what `kedge up` needs
#   prepare.sh --tests    the same, plus what only the tests need
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }

install_npm_packages() {
  stamp=node_modules/.prepared
  want=$(cksum < package-lock.json)
  if [ -x node_modules/.bin/node ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi
  say 'installing npm packages ...'
  log=$(mktemp)
  # Not `npm ci`: it refuses a lockfile without the binaries for operating systems that a registry does not carry.
  # Without saving, the lockfile's versions and hashes count all the same.
  if ! npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say 'npm install failed (see above): check that this machine reaches its npm registry, then run the command again'
    exit 1
  fi
  rm -f "$log"
  printf '%s\n' "$want" > "$stamp"
}

# name of a program, name of the Debian package that has it
system_packages() {
  printf '%s\n' 'containerd containerd' 'runc runc' 'ctr containerd' 'iptables iptables' 'ip iproute2' 'busybox busybox-static'
  if [ "${1-}" = --tests ]; then printf '%s\n' 'openssl openssl' 'mosquitto mosquitto' 'mosquitto_pub mosquitto-clients' 'socat socat'; fi
}

missing_packages() {
  PATH="$PATH:/usr/sbin:/sbin"
  system_packages "$@" | while read -r program package; do
    command -v "$program" > /dev/null 2>&1 || printf '%s\n' "$package"
  done | sort -u
  if [ ! -x /usr/lib/cni/bridge ] && [ ! -x /opt/cni/bin/bridge ]; then printf '%s\n' containernetworking-plugins; fi
  if [ "${1-}" = --tests ] && ! command -v kubectl > /dev/null 2>&1; then printf '%s\n' kubernetes-client; fi
}

install_system_packages() {
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then return; fi
  # shellcheck disable=SC2086 -- a list of words
  set -- $missing
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null 2>&1; then
    say "missing on this host: $*"
    say 'install these packages (see "kedge doctor"), or run as root on a Debian-based system to have it done'
    exit 1
  fi
  say "installing system packages: $* ..."
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say "apt-get could not install: $*"
    exit 1
  fi
  rm -f "$log"
}

build_bundles() {
  node_modules/.bin/node tools/build/bundle.ts --if-changed
}

install_npm_packages
install_system_packages "$@"
build_bundles

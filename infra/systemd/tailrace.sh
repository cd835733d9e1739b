#!/bin/sh
# Runs tailrace with the Node that came with it, or says by name what this system lacks.
set -eu
home=$(dirname "$(dirname "$(readlink -f "$0")")")

refuse() {
  echo "tailrace: $1" >&2
  exit 2
}

case "$(uname -s) $(uname -m)" in
  "Linux x86_64") arch=x64 ;;
  "Linux aarch64" | "Linux arm64") arch=arm64 ;;
  *) refuse "$(uname -s) on $(uname -m) is not supported: Linux on x86_64 or aarch64 is" ;;
esac
node=$home/node/$arch/node
[ -x "$node" ] || refuse "this package has no Node for $arch: build one with npm run package -- --arch $arch"

# Node 24 is linked against glibc 2.28.
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)
version=${libc#glibc }
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
case "$libc" in
  "glibc "[0-9]*.[0-9]*)
    if [ "$major" -lt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -lt 28 ]; }; then
      refuse "glibc $version is too old, 2.28 or later is needed (Amazon Linux 2023, Debian 10, Ubuntu 20.04, RHEL 8)"
    fi
    ;;
  *) refuse "this system has no glibc (Alpine and others use musl): glibc 2.28 or later is needed" ;;
esac

# The consumer's package brings KCL's jars.
[ ! -d "$home/jars" ] || export TAILRACE_JARS="${TAILRACE_JARS:-$home/jars}"

# The agent has a folder of its own, with fewer files to load.
lib=$home/lib
[ "${1:-}" != agent ] || [ ! -d "$lib/agent" ] || lib=$lib/agent

# A small young generation: what lives long here are buffers outside the heap, and collecting often is cheap.
exec "$node" --max-semi-space-size=2 "$lib/tailrace.js" "$@"

# First part of the user data of all instances. Before it stand REGION, STACK, STREAM, ARTIFACTS and VERSION.
set -eu
# Empty on a server; a folder in tests.
ROOT=$(printenv TAILRACE_ROOT || true)
export AWS_DEFAULT_REGION="$REGION"
case $(uname -m) in aarch64 | arm64) ARCH=arm64 ;; *) ARCH=x64 ;; esac

fetch() { aws s3 cp --only-show-errors "$ARTIFACTS$1" "$2"; }

# The network may come up after this script: a new server tries for some minutes before it gives up.
again() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { echo "tailrace: gave up: $*" >&2; exit 1; }
    sleep 5
  done
}

# Unpacks NAME-VERSION-linux-ARCH.tar.gz and runs its install script.
install_package() {
  work=$(mktemp -d)
  again fetch "$1-$VERSION-linux-$ARCH.tar.gz" "$work/package.tar.gz"
  tar -xzf "$work/package.tar.gz" -C "$work"
  set -- "$work"/*/install.sh
  if [ -n "$ROOT" ]; then "$1" --root "$ROOT"; else "$1"; fi
  rm -rf "$work"
}

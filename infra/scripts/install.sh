# First part of the user data of all instances. Before it stand REGION, STACK, STREAM, ARTIFACTS, VERSION and READY.
set -eu

# Reports to READY, where the stack waits for it as it is created, how the set-up ended. Later the URL has expired.
report() {
  ended=$?
  [ -n "$READY" ] || return 0
  if [ "$ended" -eq 0 ]; then status=SUCCESS; else status=FAILURE; fi
  reason="the user data of $(uname -n) ended with $ended; see /var/log/cloud-init-output.log there"
  curl -fsS --retry 5 --max-time 30 -X PUT -H 'Content-Type:' --data-binary \
    "{\"Status\":\"$status\",\"UniqueId\":\"$(uname -n)\",\"Data\":\"\",\"Reason\":\"$reason\"}" "$READY" || true
}
trap report EXIT
# Empty on a server; a folder in tests.
ROOT=$(printenv TAILRACE_ROOT || true)
export AWS_DEFAULT_REGION="$REGION"
case $(uname -m) in aarch64 | arm64) ARCH=arm64 ;; *) ARCH=x64 ;; esac

fetch() { aws s3 cp --only-show-errors "$ARTIFACTS$1" "$2"; }

# The network may come up after this script: a new server tries for some minutes before it gives up.
retry() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { echo "tailrace: gave up: $*" >&2; exit 1; }
    sleep 5
  done
}

# A file that may be there; 1 when it is not, which S3 says as 403 to those who may not list. Anything else is
# retried: a configuration that cannot be fetched just now must not give way to another one.
fetch_if_there() {
  tries=0
  until said=$(fetch "$1" "$2" 2>&1); do
    case $said in *'(403)'* | *'(404)'*) return 1 ;; esac
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { echo "tailrace: gave up: $1: $said" >&2; exit 1; }
    sleep 5
  done
}

# Unpacks NAME-VERSION-linux-ARCH.tar.gz and runs its install script.
install_package() {
  work=$(mktemp -d)
  retry fetch "$1-$VERSION-linux-$ARCH.tar.gz" "$work/package.tar.gz"
  tar -xzf "$work/package.tar.gz" -C "$work"
  set -- "$work"/*/install.sh
  if [ -n "$ROOT" ]; then "$1" --root "$ROOT"; else "$1"; fi
  rm -rf "$work"
}

#!/bin/sh
# Installs or upgrades the tailrace agent from the unpacked package that this script lies in.
#
#     sudo ./install.sh                 everything, and enables the service; it starts when the configuration is right
#     ./install.sh --root DIR           puts the files under DIR and touches nothing else, e.g. for an image
set -eu
source=$(dirname "$(readlink -f "$0")")
root=

while [ $# -gt 0 ]; do
  case $1 in
    --root) root=${2:?--root wants a directory}; shift 2 ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install.sh: unknown option $1 (--help says more)" >&2; exit 2 ;;
  esac
done

# Says so when this system is too old, before anything is changed.
"$source/bin/tailrace" --help >/dev/null
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || { echo "install.sh: run it as root, or with --root DIR" >&2; exit 2; }

version=$(cat "$source/VERSION")
target=/opt/tailrace-$version
if [ "$source" != "$root$target" ]; then
  mkdir -p "$root/opt"
  rm -rf "$root$target.new"
  cp -R "$source" "$root$target.new"
  rm -rf "$root$target"
  mv "$root$target.new" "$root$target"
fi
# In one step: a service that starts meanwhile finds the old version or the new one.
ln -sfn "tailrace-$version" "$root/opt/tailrace.new"
mv -T "$root/opt/tailrace.new" "$root/opt/tailrace"
mkdir -p "$root/usr/local/bin" "$root/etc/systemd/system" "$root/etc/tailrace" "$root/etc/logrotate.d"
ln -sfn /opt/tailrace/bin/tailrace "$root/usr/local/bin/tailrace"
cp "$source/systemd/tailrace.service" "$root/etc/systemd/system/tailrace.service"
cp "$source/systemd/tailrace.logrotate" "$root/etc/logrotate.d/tailrace"
if [ -e "$root/etc/tailrace/agent.yaml" ]; then
  echo "kept /etc/tailrace/agent.yaml"
else
  cp "$source/systemd/agent.yaml" "$root/etc/tailrace/agent.yaml"
  chmod 0644 "$root/etc/tailrace/agent.yaml"
  echo "wrote /etc/tailrace/agent.yaml: set stream.name, stream.region and the inputs"
fi
[ -z "$root" ] || { echo "installed under $root"; exit 0; }

getent passwd tailrace >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /var/lib/tailrace --shell /usr/sbin/nologin tailrace
systemctl daemon-reload
systemctl enable --quiet tailrace.service
if systemctl --quiet is-active tailrace.service; then
  systemctl restart tailrace.service
  echo "tailrace $version runs"
else
  echo "tailrace $version is installed; then: tailrace agent --check --config /etc/tailrace/agent.yaml && systemctl start tailrace"
fi

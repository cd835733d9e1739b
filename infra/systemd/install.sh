#!/bin/sh
# Installs or upgrades the tailrace agent or consumer from the unpacked package that this script lies in.
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

# What a consumer needs besides what it brings.
check_java() {
  # An image may have its own, which need not run here.
  [ -z "$root" ] || [ ! -L "$root/usr/bin/java" ] || return 0
  java=$(java -version 2>&1 | sed -n 's/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p') || true
  [ "${java:-0}" -lt 17 ] || return 0
  echo "install.sh: the consumer needs Java 17 or later, and this system has ${java:+only }${java:-none}; install it first:
    dnf install java-17-amazon-corretto-headless        (Amazon Linux 2023)
    apt-get install openjdk-17-jre-headless             (Debian 12, Ubuntu 22.04)
    apt-get install openjdk-21-jre-headless             (Debian 13, Ubuntu 24.04)" >&2
  exit 2
}

role=$(basename "$source"/systemd/*.yaml .yaml)
case $role in
  agent) name=tailrace wanted="stream.name, stream.region and the inputs" ;;
  consumer) name=tailrace-consumer wanted="stream.name, stream.region and archive.bucket"; check_java ;;
esac

# Says so when this system is too old, before anything is changed.
"$source/bin/tailrace" --help >/dev/null
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || { echo "install.sh: run it as root, or with --root DIR" >&2; exit 2; }

version=$(cat "$source/VERSION")
target=/opt/$name-$version
if [ "$source" != "$root$target" ]; then
  mkdir -p "$root/opt"
  rm -rf "$root$target.new"
  cp -R "$source" "$root$target.new"
  rm -rf "$root$target"
  mv "$root$target.new" "$root$target"
fi
# In one step: a service that starts meanwhile finds the old version or the new one.
ln -sfn "$name-$version" "$root/opt/$name.new"
mv -T "$root/opt/$name.new" "$root/opt/$name"
mkdir -p "$root/usr/local/bin" "$root/etc/systemd/system" "$root/etc/tailrace" "$root/etc/logrotate.d"
# Where both are installed the command is the consumer's, which has all that the agent's has.
if [ "$role" = consumer ] || [ ! -L "$root/opt/tailrace-consumer" ]; then
  ln -sfn "/opt/$name/bin/tailrace" "$root/usr/local/bin/tailrace"
fi
cp "$source/systemd/$name.service" "$root/etc/systemd/system/$name.service"
[ ! -e "$source/systemd/$name.logrotate" ] || cp "$source/systemd/$name.logrotate" "$root/etc/logrotate.d/$name"
config=/etc/tailrace/$role.yaml
if [ -e "$root$config" ]; then
  echo "kept $config"
else
  cp "$source/systemd/$role.yaml" "$root$config"
  # An agent's may hold the keys of forward clients; its service reads it by its group, or its capability.
  if [ "$role" = agent ]; then chmod 0640 "$root$config"; else chmod 0644 "$root$config"; fi
  echo "wrote $config: set $wanted"
fi
[ -z "$root" ] || { echo "installed under $root"; exit 0; }

getent passwd "$name" >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir "/var/lib/$name" --shell /usr/sbin/nologin "$name"
[ "$role" != agent ] || chgrp "$name" "$config"
systemctl daemon-reload
systemctl enable --quiet "$name.service"
if systemctl --quiet is-active "$name.service"; then
  systemctl restart "$name.service"
  echo "$name $version runs"
else
  echo "$name $version is installed; then: tailrace $role --check --config $config && systemctl start $name"
fi

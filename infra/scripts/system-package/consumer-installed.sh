#!/bin/sh
# After the installation or an upgrade by dpkg or rpm.
set -e
getent passwd tailrace-consumer >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /var/lib/tailrace-consumer --shell /usr/sbin/nologin tailrace-consumer
# The configuration holds no secrets.
# In an image that is being built there is no systemd to talk to.
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl enable --quiet tailrace-consumer.service
if systemctl --quiet is-active tailrace-consumer.service; then
  systemctl restart tailrace-consumer.service
else
  echo "next: edit /etc/tailrace/consumer.yaml, then: tailrace-consumer consumer --check --config /etc/tailrace/consumer.yaml && systemctl start tailrace-consumer"
fi

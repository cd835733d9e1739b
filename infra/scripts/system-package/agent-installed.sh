#!/bin/sh
# After the installation or an upgrade by dpkg or rpm.
set -e
getent passwd tailrace >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /var/lib/tailrace --shell /usr/sbin/nologin tailrace
chgrp tailrace /etc/tailrace/agent.yaml
# In an image that is being built there is no systemd to talk to.
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl enable --quiet tailrace.service
if systemctl --quiet is-active tailrace.service; then
  systemctl restart tailrace.service
else
  echo "next: edit /etc/tailrace/agent.yaml, then: tailrace agent --check --config /etc/tailrace/agent.yaml && systemctl start tailrace"
fi

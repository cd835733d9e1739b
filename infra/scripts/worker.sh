# Second part of the worker's user data: the consumer and its configuration. Before it stands ARCHIVE, too.
mkdir -p "$ROOT/etc/tailrace" "$ROOT/etc/systemd/system/tailrace-consumer.service.d"
command -v java >/dev/null || retry dnf install -y --quiet java-21-amazon-corretto-headless

if ! fetch_if_there consumer.yaml "$ROOT/etc/tailrace/consumer.yaml"; then
  cat > "$ROOT/etc/tailrace/consumer.yaml" <<END
stream: { name: $STREAM, region: $REGION }
archive: { bucket: $ARCHIVE }
application: $STACK
END
fi
chmod 0644 "$ROOT/etc/tailrace/consumer.yaml"

# A launcher that gives up takes the instance with it: the group sees it stopped, and puts another in its place.
cat > "$ROOT/etc/systemd/system/tailrace-consumer.service.d/replace.conf" <<END
[Unit]
StartLimitIntervalSec=10800
StartLimitBurst=5
OnFailure=poweroff.target
END
install_package tailrace-consumer
systemctl daemon-reload
systemctl enable --now tailrace-consumer.service

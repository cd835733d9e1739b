# Second part of the worker's user data: the consumer and its configuration. Before it stands ARCHIVE, too.
mkdir -p "$ROOT/etc/tailrace" "$ROOT/etc/systemd/system/tailrace-consumer.service.d" "$ROOT/usr/local/sbin"
command -v java >/dev/null || retry dnf install -y --quiet java-21-amazon-corretto-headless

if ! fetch_if_there consumer.yaml "$ROOT/etc/tailrace/consumer.yaml"; then
  cat > "$ROOT/etc/tailrace/consumer.yaml" <<END
stream: { name: $STREAM, region: $REGION }
archive: { bucket: $ARCHIVE }
application: $STACK
END
fi
chmod 0644 "$ROOT/etc/tailrace/consumer.yaml"

# What the alarm on the worker goes by, every minute: no value of a consumer that is not there, or of a worker.
cat > "$ROOT/usr/local/sbin/tailrace-consumer-metrics" <<END
#!/bin/sh
metrics=\$(curl -fsS --max-time 10 http://127.0.0.1:24281/metrics) || exit 1
faults=\$(printf '%s\n' "\$metrics" | awk '/^tailrace_consumer_faults/ { print \$2 }')
[ -n "\$faults" ] || exit 1
put() {
  aws cloudwatch put-metric-data --region $REGION --namespace Tailrace \\
    --metric-name "\$1" --unit "\$2" --dimensions Stack=$STACK --value "\$3"
}
put WorkerFaults Count "\$faults"
END
chmod 0755 "$ROOT/usr/local/sbin/tailrace-consumer-metrics"
cat > "$ROOT/etc/systemd/system/tailrace-consumer-metrics.service" <<END
[Unit]
Description=Faults of the consumer, to CloudWatch
After=tailrace-consumer.service

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/tailrace-consumer-metrics
DynamicUser=yes
END
cat > "$ROOT/etc/systemd/system/tailrace-consumer-metrics.timer" <<END
[Unit]
Description=Faults of the consumer, to CloudWatch, every minute

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min

[Install]
WantedBy=timers.target
END

# A launcher that gives up takes the instance with it: the group sees it stopped, and puts another in its place.
cat > "$ROOT/etc/systemd/system/tailrace-consumer.service.d/replace.conf" <<END
[Unit]
StartLimitIntervalSec=10800
StartLimitBurst=5
OnFailure=poweroff.target
END
install_package tailrace-consumer
systemctl daemon-reload
systemctl enable --now tailrace-consumer.service tailrace-consumer-metrics.timer

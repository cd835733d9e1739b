/** An HTTP server that accepts lines, plain or gzipped, and reports the running total to its parent. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

const NEWLINE = 0x0a;
let lines = 0;

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
    for (const byte of text) if (byte === NEWLINE) lines++;
    // The last line has no newline.
    if (text.length > 0 && text.at(-1) !== NEWLINE) lines++;
    response.end();
    process.send!(lines);
  });
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));

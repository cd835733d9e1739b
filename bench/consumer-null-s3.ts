/** The sink of the consumer bench: an S3 that accepts every object, keeps none, and lists nothing. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const EMPTY_LIST =
  '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>';

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    // It keeps nothing, and yet is asked whether it would write over an object.
    if (request.url!.includes('if-none-match'))
      response.writeHead(request.method === 'HEAD' ? 200 : 412, { etag: '"0"' }).end();
    else if (request.method === 'PUT') response.writeHead(200, { etag: '"0"' }).end();
    else if (request.url!.includes('list-type')) response.writeHead(200).end(EMPTY_LIST);
    else response.writeHead(404).end();
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

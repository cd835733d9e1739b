/** A Kinesis that accepts everything and responds immediately, so that a benchmark measures the agent alone. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const NAME = Buffer.from('"PartitionKey":');

const server = createServer((request, response) => {
  const operation = String(request.headers['x-amz-target']).split('.')[1];
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (operation !== 'PutRecords') {
      response.end('{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"},"Shards":[]}');
      return;
    }
    const body = Buffer.concat(parts);
    let records = 0;
    for (let at = body.indexOf(NAME); at !== -1; at = body.indexOf(NAME, at + NAME.length)) records++;
    const answer = '{"SequenceNumber":"1","ShardId":"shardId-000000000000"}';
    response.end(`{"FailedRecordCount":0,"Records":[${new Array(records).fill(answer).join(',')}]}`);
  });
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));

/** The demo's ledger and the oracle that compares it with the archive: neither forgets nor invents an event. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { ArchiveReader, compare } from '../../../local/archive.ts';
import { combined } from '../../../local/demo/access-log.ts';
import { Ledger, readMade } from '../../../local/demo/ledger.ts';
import { BUCKET, startLocalS3 } from '../../support/local-s3.ts';

function inFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'tailrace-ledger-'));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function counts(numbers: readonly number[]): Map<number, number> {
  const map = new Map<number, number>();
  for (const number of numbers) map.set(number, (map.get(number) ?? 0) + 1);
  return map;
}

test('a ledger closed in order goes on where it stopped', () => {
  inFolder((folder) => {
    const first = new Ledger(folder);
    for (let i = 0; i < 3; i++) first.add('log', first.take('log'));
    first.add('forward', first.take('forward'));
    first.close();
    const second = new Ledger(folder);
    assert.equal(second.take('log'), 4);
    assert.equal(second.take('forward'), 2);
    assert.equal(second.made.log.made.toString(), '1-3');
    assert.equal(second.made.log.unsure.toString(), '');
  });
});

test('after a kill no number is given twice, and what may have been made is in doubt', () => {
  inFolder((folder) => {
    const killed = new Ledger(folder);
    killed.add('log', killed.take('log'));
    killed.save();
    const taken = [killed.take('log'), killed.take('log')];
    const next = new Ledger(folder);
    const number = next.take('log');
    assert.ok(number > Math.max(...taken));
    assert.equal(next.made.log.made.toString(), '1');
    for (const doubtful of taken) assert.ok(next.made.log.unsure.has(doubtful));
    next.add('log', number);
    next.close();
    assert.ok(readMade(folder).log.made.has(number));
    assert.ok(!readMade(folder).log.unsure.has(number));
  });
});

test('lost, repeated and invented events are each counted and named', () => {
  inFolder((folder) => {
    const ledger = new Ledger(folder);
    for (let i = 0; i < 5; i++) ledger.add('log', ledger.take('log'));
    ledger.add('forward', ledger.take('forward'));
    ledger.doubt('forward', ledger.take('forward'));
    ledger.close();
    const made = readMade(folder);

    const whole = compare(made, { log: counts([1, 2, 3, 4, 5]), forward: counts([1]) });
    assert.deepEqual(whole, {
      made: 6,
      archived: 6,
      missing: 0,
      repeated: 0,
      invented: 0,
      unsure: 1,
      examples: [],
    });

    const broken = compare(made, { log: counts([1, 2, 2, 4, 5, 9]), forward: counts([2, 2]) });
    assert.deepEqual(broken, {
      made: 6,
      archived: 5,
      missing: 2,
      repeated: 2,
      invented: 1,
      unsure: 1,
      examples: [
        'lost: access log 3',
        'repeated: access log 2',
        'never made: access log 9',
        'lost: application event 1',
        'repeated: application event 2',
      ],
    });
  });
});

test("earlier runs' events are left out of a comparison on both sides", () => {
  inFolder((folder) => {
    const first = new Ledger(folder);
    for (let i = 0; i < 3; i++) first.add('log', first.take('log'));
    first.close();
    const before = readMade(folder);
    const second = new Ledger(folder);
    second.add('log', second.take('log'));
    second.close();
    const { made, archived, missing, repeated } = compare(
      readMade(folder),
      { log: counts([1, 1, 4]), forward: counts([]) },
      before,
    );
    assert.deepEqual(
      { made, archived, missing, repeated },
      { made: 1, archived: 1, missing: 0, repeated: 0 },
    );
  });
});

test('the archive is read object by object, each once, through all members of a file', async () => {
  const s3 = await startLocalS3();
  try {
    const put = (Key: string, Body: Buffer) =>
      s3.client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
    const gz = (...lines: string[]) => zlib.gzipSync(lines.map((line) => `${line}\n`).join(''));
    const zst = (...lines: string[]) => zlib.zstdCompressSync(lines.map((line) => `${line}\n`).join(''));
    await put(
      'logs/a.ndjson.gz',
      Buffer.concat([gz('{"path":"/?event=1"}'), gz('{"path":"/s?q=x&event=2"}', '{"x":1}')]),
    );
    await put('logs/empty.ndjson.gz', Buffer.alloc(0));
    await put('_commits/1.json', Buffer.from('{"event_number":99}'));
    const reader = new ArchiveReader(s3.client, BUCKET);
    await reader.read();
    await put('logs/b.ndjson.zst', Buffer.concat([zst('{"event_number":7}'), zst('{"event_number":7}')]));
    await reader.read();
    assert.deepEqual(
      [...reader.counts.log],
      [
        [1, 1],
        [2, 1],
      ],
    );
    assert.deepEqual([...reader.counts.forward], [[7, 2]]);
    assert.equal(reader.others, 1);
    assert.equal(reader.objects, 3);
  } finally {
    await s3.stop();
  }
});

test("a line of the demo's access log is nginx's combined format, escapes included", () => {
  const line = combined({
    remoteAddress: '203.0.113.9',
    user: '',
    timeMs: Date.UTC(2026, 10, 3, 7, 5, 9),
    method: 'GET',
    target: '/a?event=1',
    httpVersion: '1.1',
    status: 200,
    bytes: 12,
    referer: '',
    userAgent: 'a "b" \\ ü',
  });
  assert.equal(
    line,
    '203.0.113.9 - - [03/Nov/2026:07:05:09 +0000] "GET /a?event=1 HTTP/1.1" 200 12 "-" "a \\x22b\\x22 \\x5C \\xC3\\xBC"',
  );
});

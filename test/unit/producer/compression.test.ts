/** What the configuration makes of compression, and how our own encoder is given up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { compressLines, frameBody } from '../../../chunk/writer.ts';
import {
  compressionOf,
  type DeflateFault,
  faultReport,
  WatchedDeflater,
} from '../../../producer/compression.ts';
import { Counters } from '../../../producer/counters.ts';
import { ZERO_HEADER } from '../../support/chunk-arbitraries.ts';

const LINES = Buffer.from('{"a":1}\n'.repeat(1000));
const unexpected = (): never => assert.fail('a fault');

test('our own encoder compresses unless another codec or a level is configured', () => {
  const own = compressionOf('gzip', unexpected);
  assert.equal(own.codec, 'gzip');
  assert.notEqual(own.deflater, undefined);
  assert.deepEqual(compressionOf('zstd', unexpected), { codec: 'zstd', level: 1 });
  for (const configured of [
    { codec: 'gzip', level: 3 },
    { codec: 'zstd', level: 9 },
  ] as const)
    assert.deepEqual(compressionOf(configured, unexpected), configured);
});

/** A chunk's lines, as a reader finds them. */
function through(deflater: WatchedDeflater): Buffer {
  const body = compressLines(LINES, 'test', { codec: 'gzip', level: 3, deflater });
  return gunzipSync(frameBody(body, { ...ZERO_HEADER, events: 1000 }));
}

for (const [what, failing, err] of [
  ['does not read back', () => null, undefined],
  [
    'throws',
    () => {
      throw new RangeError('out of its memory');
    },
    'out of its memory',
  ],
] as const)
  test(`when it ${what}, zlib compresses that chunk and all that follow`, () => {
    let asked = 0;
    const faults: DeflateFault[] = [];
    const deflate = () => {
      asked++;
      return failing();
    };
    const deflater = new WatchedDeflater({ deflate }, (fault) => faults.push(fault));
    assert.ok(through(deflater).equals(LINES));
    assert.ok(through(deflater).equals(LINES));
    assert.equal(asked, 1);
    assert.equal(faults.length, 1);
    assert.equal(faults[0]!.rawBytes, LINES.length);
    assert.match(faults[0]!.crc, /^[0-9a-f]{8}$/);
    assert.equal((faults[0]!.err as Error | undefined)?.message, err);
  });

test('a fault is counted and logged', () => {
  const counters = new Counters();
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  faultReport(counters, log)({ rawBytes: 8, crc: '0000abcd' });
  assert.equal(counters.total('tailrace_agent_deflate_faults_total'), 1);
  assert.match(lines.join(), /"level":50.*"rawBytes":8,"crc":"0000abcd".*nothing is lost/);
});

/** Measures msgpack to NDJSON alone, bytes to bytes; the bare cost is decoding into objects and JSON.stringify. */
import { decode, encode } from '@msgpack/msgpack';
import { EntryOffsets } from '../producer/forward/entries.ts';
import { JsonWriter, TIME } from '../producer/forward/json-writer.ts';
import type { BenchResult } from './run.ts';

const EVENTS = 200_000;

export function run(): BenchResult {
  const entries = Array.from({ length: EVENTS }, (_, n) =>
    Buffer.from(encode([1_795_000_000 + Math.floor(n / 5000), record(n)])),
  );
  const packed = Buffer.concat(entries);
  const out = Buffer.allocUnsafeSlow(4 * 2 ** 20);
  let bytes = 0;
  const direct = (): void => {
    const offsets = new EntryOffsets();
    const writer = new JsonWriter();
    writer.out = out;
    bytes = 0;
    for (let at = 0; at < packed.length; ) {
      at = offsets.find(packed, at, packed.length).at;
      for (let i = 0; i < offsets.count; i++) {
        if (writer.at > out.length - 4096) writer.at = 0;
        const start = writer.at;
        writer.plainEvent(packed, offsets.record(i), TIME, 1_795_000_000, 0);
        bytes += writer.at - start;
      }
    }
  };
  const viaObjects = (): void => {
    let at = 0;
    for (const entry of entries) {
      const [time, fields] = decode(entry) as [number, object];
      const line = JSON.stringify({ time: new Date(time * 1000).toISOString(), ...fields });
      if (at > out.length - 4096) at = 0;
      at += out.write(line, at);
    }
  };
  const fast = seconds(direct);
  const bare = seconds(viaObjects);
  if (bytes === 0) throw new Error('nothing was written');
  return {
    bench: 'forward-transcode',
    value: Math.round(EVENTS / fast),
    unit: 'events/cpu-s',
    bare: Math.round(bare * 100) / 100,
    ratio: Math.round((fast / bare) * 100) / 100,
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
}

/** CPU seconds of the best of several rounds: the first ones go to the compiler. */
function seconds(work: () => void): number {
  const rounds = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    work();
    const used = process.cpuUsage(before);
    return (used.user + used.system) / 1e6;
  });
  return Math.min(...rounds);
}

function record(n: number): Record<string, string | number> {
  return {
    request_id: n.toString(16).padStart(16, '0'),
    remote_addr: `10.0.${n % 256}.17`,
    method: 'GET',
    path: `/shop/category/${n % 50}/item/${n}`,
    protocol: 'HTTP/1.1',
    status: 200,
    bytes: n % 60_000,
    referer: 'https://www.example.com/shop/category',
    user_agent:
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    request_time: (n % 2000) / 1000,
  };
}

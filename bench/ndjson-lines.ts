/** Access log lines as the events an agent makes of them, without an agent. */
import { Builders, DEFAULT_BUILDER_LIMITS } from '../producer/builder.ts';
import { Counters } from '../producer/counters.ts';
import { compileFormat } from '../producer/format/compile.ts';
import { Tally } from '../producer/format/json-bytes.ts';
import { Transform } from '../producer/format/transform.ts';

/** The NDJSON of lines, by default of nginx combined. */
export function ndjson(
  text: Buffer,
  format: Parameters<typeof compileFormat>[0] = { type: 'nginx' },
): Buffer {
  const limits = { ...DEFAULT_BUILDER_LIMITS, chunkBytes: Number.POSITIVE_INFINITY };
  const builders = new Builders(limits, Date.now, new Counters(), () => undefined);
  const target = { builders: builders.tag('bench'), tally: new Tally(), clock: { now: Date.now() } };
  const parser = compileFormat(format, target, new Transform({}));
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf(0x0a, at);
    parser.parse(text, at, newline);
    at = newline + 1;
  }
  return Buffer.concat([...builders.filled()].map((builder) => builder.buffer.subarray(0, builder.length)));
}

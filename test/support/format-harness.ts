/** Runs lines through a compiled format and returns the NDJSON it wrote. */
import * as z from 'zod/mini';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../../producer/builder.ts';
import { Counters } from '../../producer/counters.ts';
import { compileFormat } from '../../producer/format/compile.ts';
import { Tally } from '../../producer/format/json-bytes.ts';
import { formatOptions } from '../../producer/format/options.ts';
import { Transform, transformShape, unparsedPolicy } from '../../producer/format/transform.ts';

const transformSchema = z.strictObject({ ...transformShape, unparsed: z.optional(unparsedPolicy) });

export interface Formatted {
  /** Lines of NDJSON with the hour of their builder. */
  readonly lines: readonly { readonly hour: number; readonly json: string }[];
  readonly tally: Tally;
}

/** The arrival of all lines: 2026-11-23T21:00:00Z. */
export const NOW = Date.UTC(2026, 10, 23, 21);

export function format(
  options: unknown,
  lines: readonly (string | Buffer)[],
  transform: unknown = {},
  now = NOW,
): Formatted {
  const { parser, tally, take } = parserOf(options, transform, now);
  const out: { hour: number; json: string }[] = [];
  let turn = lines.length;
  for (const line of lines) {
    const bytes = typeof line === 'string' ? Buffer.from(line) : line;
    // The bytes around the line must not matter, nor whether there are any.
    const behind = ['\n"y', '0123456789"x', ' - -" "-"', ''];
    const framed = Buffer.concat([Buffer.from('"x '), bytes, Buffer.from(behind[turn++ % behind.length]!)]);
    parser.parse(framed, 3, 3 + bytes.length);
    out.push(...take());
  }
  return { lines: out, tally };
}

/** A format's parser; `take` empties its builders. */
export function parserOf(options: unknown, transform: unknown = {}, now = NOW) {
  const builders = new Builders(
    DEFAULT_BUILDER_LIMITS,
    () => now,
    new Counters(),
    () => undefined,
  );
  const tally = new Tally();
  const target = { builders: builders.tag('test'), tally, clock: { now } };
  const parser = compileFormat(
    z.parse(formatOptions, options),
    target,
    new Transform(z.parse(transformSchema, transform), { hostname: 'web-1', instance_id: undefined }),
  );
  const take = (): { hour: number; json: string }[] => {
    const out: { hour: number; json: string }[] = [];
    for (const builder of builders.filled()) {
      const text = builder.buffer.toString('utf8', 0, builder.length);
      for (const json of text.split('\n').slice(0, -1)) out.push({ hour: builder.hour, json });
      builder.clear();
    }
    return out;
  };
  return { parser, target, tally, take };
}

/** The events of a format, parsed. */
export function events(options: unknown, lines: readonly (string | Buffer)[], transform: unknown = {}) {
  return format(options, lines, transform).lines.map(
    ({ json }) => JSON.parse(json) as Record<string, unknown>,
  );
}

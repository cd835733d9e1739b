/** Tests of a configuration: recorded lines go through an input, and the events are compared with the expected ones. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod/mini';
import type { TailOptions } from '../producer/tail/options.ts';
import { sampleTail } from '../producer/tail/sample.ts';

const event = z.record(z.string(), z.unknown());

/** A file of tests. */
export const testFile = z.strictObject({
  tests: z
    .array(
      z.strictObject({
        name: z.optional(z.string()),
        /** The input by its id, its tag or one of its paths; not needed where there is only one tail input. */
        input: z.optional(z.string()),
        lines: z.string({ error: 'expected text: the recorded lines' }),
        /** One per event, in order. Fields that are left out are not compared, unless `exact` is set. */
        events: z.array(event),
        exact: z._default(z.boolean(), false),
      }),
    )
    .check(z.minLength(1)),
});

export type ConfigTest = z.output<typeof testFile>['tests'][number];

/** @returns the differences, one line each; none when the test passes */
export function runTest(test: ConfigTest, inputs: readonly TailOptions[]): string[] {
  const input = inputOf(test, inputs);
  if (typeof input === 'string') return [input];
  const events = eventsOf(input, test.lines);
  const differences =
    events.length === test.events.length
      ? []
      : [`expected ${test.events.length} events, found ${events.length}`];
  test.events.slice(0, events.length).forEach((expected, i) => {
    differences.push(...compare(expected, events[i]!, test.exact).map((text) => `event ${i + 1}: ${text}`));
  });
  for (const extra of events.slice(test.events.length))
    differences.push(`not expected: ${JSON.stringify(extra)}`);
  return differences;
}

function inputOf({ input: name }: ConfigTest, inputs: readonly TailOptions[]): TailOptions | string {
  const [first, ...others] = inputs;
  if (first === undefined) return 'the configuration has no tail input';
  if (name === undefined)
    return others.length === 0
      ? first
      : 'there are several tail inputs: name one with input: ID, TAG or PATH';
  const found = inputs.find(
    ({ id, tag, path }) => id === name || tag === name || [path].flat().includes(name),
  );
  return found ?? `there is no tail input with the id, tag or path ${name}`;
}

/** The events that an input makes of these lines. */
function eventsOf(options: TailOptions, lines: string): Record<string, unknown>[] {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  try {
    const file = join(folder, basename([options.path].flat()[0]!).replaceAll(/[^\w.-]/g, '_') || 'log');
    writeFileSync(file, lines.endsWith('\n') ? lines : `${lines}\n`);
    const { exclude_path: _, ...rest } = options;
    const { events } = sampleTail({ ...rest, path: file }, Number.POSITIVE_INFINITY);
    return events.map(({ json }) => JSON.parse(json) as Record<string, unknown>);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compare(
  expected: Record<string, unknown>,
  found: Record<string, unknown>,
  exact: boolean,
): string[] {
  const differences: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    if (!(key in found)) differences.push(`${key} is missing`);
    else if (!isDeepStrictEqual(found[key], value))
      differences.push(`${key}: expected ${JSON.stringify(value)}, found ${JSON.stringify(found[key])}`);
  }
  if (exact)
    for (const key of Object.keys(found))
      if (!(key in expected)) differences.push(`${key}: not expected, found ${JSON.stringify(found[key])}`);
  return differences;
}

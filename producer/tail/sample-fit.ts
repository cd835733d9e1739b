/** How well a format matches the end of a file, which is what the server writes now. For `agent --check`. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../builder.ts';
import { Counters } from '../counters.ts';
import { Tally } from '../format/json-bytes.ts';
import { recommendFormat } from '../format/recommend.ts';
import { recommendTimeKey } from '../format/recommend-time.ts';
import { Transform } from '../format/transform.ts';
import { ALL } from './lines.ts';
import { openFollowed } from './links.ts';
import type { TailOptions } from './options.ts';
import { createParser, createSplitter } from './splitting.ts';

const SAMPLE_BYTES = 64 * 1024;
const HEAD_BYTES = 4096;
/** Lines that presets are tried with. */
const TRIED_LINES = 100;

export interface SampledFit {
  /** Events at the end of the file, those that do not match among them. */
  readonly events: number;
  readonly unparsed: number;
  /** The preset that its lines look like; null when the format matches most of them, or none does. */
  readonly looksLike: { readonly name: string; readonly format: unknown } | null;
  /** Events of the format without a time, and the `time_key` of a field that seems to hold it. */
  readonly timeless: number;
  readonly timeKey: string | null;
}

/** @throws the system's error when the file cannot be read */
export function sampleFit(path: string, options: TailOptions): SampledFit {
  const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, new Counters(), (builder) =>
    builder.clear(),
  );
  const tally = new Tally();
  const target = { builders: builders.tag('sample'), tally, clock: { now: Date.now() } };
  const transform = new Transform({});
  const parser = createParser(options, target, transform, path);
  const splitter = createSplitter(options, { parser, target }, transform);
  const { end, head } = readEnds(path, options);
  // What begins in the middle of a line is passed over, in encodings of two bytes a unit as well.
  splitter.skipping = end.partial;
  splitter.take(end.bytes, 0, end.length, ALL);
  const { events, unparsed } = tally;
  const wrong = unparsed > 0 && 2 * unparsed >= events;
  return {
    events,
    unparsed,
    looksLike: wrong ? recommendFormat(linesOf(end), head) : null,
    timeless: tally.timeless,
    timeKey: tally.timeless > 0 ? recommendTimeKey(eventsOf(builders)) : null,
  };
}

/** What the builders hold but for lines that did not match. */
function eventsOf(builders: Builders): Record<string, unknown>[] {
  return [...builders.filled()].flatMap(({ buffer, length }) => {
    const lines = buffer.toString('utf8', 0, length).split('\n').slice(0, TRIED_LINES);
    const events = lines
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return events.filter(({ _unparsed }) => _unparsed === undefined);
  });
}

interface End {
  readonly bytes: Buffer;
  readonly length: number;
  readonly partial: boolean;
}

function readEnds(path: string, { symlinks }: TailOptions): { readonly end: End; readonly head: string[] } {
  const fd = openFollowed(path, symlinks);
  try {
    const from = Math.max(0, fstatSync(fd).size - SAMPLE_BYTES);
    const even = from - (from % 2);
    const bytes = Buffer.alloc(SAMPLE_BYTES + 2);
    const length = readSync(fd, bytes, 0, SAMPLE_BYTES + 1, even);
    bytes[length] = 0x0a;
    const first = Buffer.alloc(HEAD_BYTES);
    const head = first.toString('utf8', 0, readSync(fd, first, 0, HEAD_BYTES, 0)).split(/\r?\n/);
    return { end: { bytes, length, partial: even > 0 }, head };
  } finally {
    closeSync(fd);
  }
}

function linesOf({ bytes, length, partial }: End): Buffer[] {
  const lines: Buffer[] = [];
  let at = partial ? bytes.indexOf(0x0a) + 1 : 0;
  for (; at < length && lines.length < TRIED_LINES; ) {
    const newline = bytes.indexOf(0x0a, at);
    const to = newline > at && bytes[newline - 1] === 0x0d ? newline - 1 : newline;
    lines.push(bytes.subarray(at, to));
    at = newline + 1;
  }
  return lines;
}

/** What a tail input would do: the files it would read, and a few of their lines as events. For `agent --check`. */
import { closeSync, readSync, statSync } from 'node:fs';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../builder.ts';
import { Counters } from '../counters.ts';
import { Tally } from '../format/json-bytes.ts';
import { Transform } from '../format/transform.ts';
import { Glob, type List, listFolder } from './glob.ts';
import { ALL, MORE_TO_COME } from './lines.ts';
import { openFollowed, UNTRUSTED } from './links.ts';
import type { TailOptions } from './options.ts';
import { followedPaths } from './paths.ts';
import { createParser, createSplitter } from './splitting.ts';
import { tagOf } from './tag.ts';

const SAMPLE_BYTES = 256 * 1024;

export interface SampledFile {
  readonly path: string;
  readonly tag: string;
  /** Null when it can't be read; then `error` says why. */
  readonly bytes: number | null;
  readonly error: string | null;
}

export interface TailSample {
  readonly files: readonly SampledFile[];
  /** The first events of the files, as they would be archived, without their newline. */
  readonly events: readonly { readonly tag: string; readonly json: string }[];
  /** Folders that patterns lead into and that can't be read. */
  readonly refused: readonly { readonly folder: string; readonly code: string }[];
  /** How many of the sampled lines the format did not take. */
  readonly unparsed: number;
}

/**
 * Reads the beginning of the files that an input would follow.
 *
 * @param placeholders what `${…}` in added fields stands for; those that are missing are left out
 */
export function sampleTail(
  options: TailOptions,
  lines = 5,
  placeholders: Readonly<Record<string, string | undefined>> = SHOWN,
): TailSample {
  const globs = (patterns: string | string[] | undefined) => [patterns ?? []].flat().map((p) => new Glob(p));
  const refused = new Map<string, string>();
  const list: List = (folder) => listFolder(folder, (code) => refused.set(folder, code));
  const paths = [...followedPaths(globs(options.path), globs(options.exclude_path), list, () => false)];
  const files = paths.map((path) => describe(path, tagOf(options.tag, path), options));
  const events: { tag: string; json: string }[] = [];
  const tally = new Tally();
  const transform = new Transform(options, placeholders);
  for (const { path, tag, error } of files) {
    if (error !== null || events.length >= lines) continue;
    events.push(...sampleFile(path, tag, lines - events.length, options, transform, tally));
  }
  return {
    files,
    events,
    refused: [...refused].map(([folder, code]) => ({ folder, code })),
    unparsed: tally.unparsed,
  };
}

const SHOWN: Readonly<Record<string, string>> = Object.fromEntries(
  ['hostname', 'instance_id', 'availability_zone', 'region', 'instance_type'].map((name) => [
    name,
    `<${name}>`,
  ]),
);

function describe(path: string, tag: string, { symlinks }: TailOptions): SampledFile {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) return { path, tag, bytes: null, error: 'is no file' };
    closeSync(openFollowed(path, symlinks));
    return { path, tag, bytes: stats.size, error: null };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === UNTRUSTED ? message : code;
    const error = code === 'ENOENT' ? 'is not there yet' : `can not be read (${why})`;
    return { path, tag, bytes: null, error };
  }
}

function sampleFile(
  path: string,
  tag: string,
  lines: number,
  options: TailOptions,
  transform: Transform,
  tally: Tally,
): { tag: string; json: string }[] {
  const events: { tag: string; json: string }[] = [];
  const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, new Counters(), () => undefined);
  const target = { builders: builders.tag(tag), tally, clock: { now: Date.now() } };
  const parser = createParser(options, target, transform, path);
  const first = {
    parse(bytes: Buffer, start: number, end: number): void {
      if (events.length >= lines) return;
      parser.parse(bytes, start, end);
      for (const builder of builders.filled()) {
        events.push({ tag, json: builder.buffer.toString('utf8', 0, builder.length - 1) });
        builder.clear();
      }
    },
  };
  const splitter = createSplitter(options, { parser: first, target }, transform);
  const fd = openFollowed(path, options.symlinks);
  try {
    const bytes = Buffer.alloc(SAMPLE_BYTES + 1);
    const read = readSync(fd, bytes, 0, SAMPLE_BYTES, 0);
    bytes[read] = 0x0a;
    splitter.take(bytes, 0, read, read < SAMPLE_BYTES ? ALL : MORE_TO_COME);
  } finally {
    closeSync(fd);
  }
  return events;
}

/** What a tail input would do: the files it would read, and a few of their lines as events. For `agent --check`. */

import { closeSync, readSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../builder.ts';
import { Counters } from '../counters.ts';
import { Tally } from '../format/json-bytes.ts';
import { Transform } from '../format/transform.ts';
import { Glob, type List, listFolder } from './glob.ts';
import { ALL, MORE_TO_COME } from './lines.ts';
import { openFollowed, UNTRUSTED } from './links.ts';
import type { TailOptions } from './options.ts';
import { compressionOf, LogNames } from './rotation.ts';
import { createParser, createSplitter, FILE_PATH } from './splitting.ts';
import { tagOf } from './tag.ts';

const SAMPLE_BYTES = 256 * 1024;

export interface SampledFile {
  readonly path: string;
  readonly tag: string;
  /** Null when it cannot be read; then `error` says why. */
  readonly bytes: number | null;
  readonly error: string | null;
}

export interface TailSample {
  readonly files: readonly SampledFile[];
  /** The first events of the files, as they would be archived, without their newline. */
  readonly events: readonly { readonly tag: string; readonly json: string }[];
  /** Rotated files next to them, which a first start passes over as history. */
  readonly history: readonly string[];
  /** Folders that patterns lead into and that cannot be read. */
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
  const exclude = globs(options.exclude_path);
  const found = new Set(globs(options.path).flatMap((glob) => glob.expand(list)));
  const included = [...found].filter((file) => !exclude.some((glob) => glob.matches(file)));
  const paths = included.filter((file) => compressionOf(file) === null);
  const files = paths.map((file) => describe(file, tagOf(options.tag, file), options));
  const history = historyOf(paths, list, (file) => exclude.some((glob) => glob.matches(file)));
  const events: { tag: string; json: string }[] = [];
  const tally = new Tally();
  for (const { path: file, tag, error } of files) {
    if (error !== null || events.length >= lines) continue;
    const transform = new Transform(options, { ...placeholders, [FILE_PATH]: file });
    events.push(...sampleFile(file, tag, lines - events.length, options, transform, tally));
  }
  return {
    files,
    events,
    history,
    refused: [...refused].map(([folder, code]) => ({ folder, code })),
    unparsed: tally.unparsed,
  };
}

/** The files next to the logs that look like their rotated generations. */
function historyOf(logs: readonly string[], list: List, excluded: (file: string) => boolean): string[] {
  const folders = new Map<string, LogNames<string>>();
  for (const log of logs) {
    const folder = path.dirname(log);
    const names = folders.get(folder) ?? new LogNames();
    folders.set(folder, names);
    names.add(path.basename(log), log);
  }
  const followed = new Set(logs);
  return [...folders].flatMap(([folder, names]) =>
    list(folder)
      .filter((entry) => entry.isFile() && names.hint(entry.name)?.usual)
      .map((entry) => path.join(folder, entry.name))
      .filter((file) => !followed.has(file) && !excluded(file)),
  );
}

/** What stands for the facts of an instance where it is not asked. */
export const SHOWN: Readonly<Record<string, string>> = Object.fromEntries(
  ['hostname', 'instance_id', 'availability_zone', 'region', 'instance_type'].map((name) => [
    name,
    `<${name}>`,
  ]),
);

function describe(file: string, tag: string, { symlinks }: TailOptions): SampledFile {
  try {
    const stats = statSync(file);
    if (!stats.isFile()) return { path: file, tag, bytes: null, error: 'is not a regular file' };
    closeSync(openFollowed(file, symlinks));
    return { path: file, tag, bytes: stats.size, error: null };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === UNTRUSTED ? message : code;
    const error = code === 'ENOENT' ? 'is not there yet' : `cannot be read (${why})`;
    return { path: file, tag, bytes: null, error };
  }
}

function sampleFile(
  file: string,
  tag: string,
  lines: number,
  options: TailOptions,
  transform: Transform,
  tally: Tally,
): { tag: string; json: string }[] {
  const events: { tag: string; json: string }[] = [];
  const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, new Counters(), () => undefined);
  const target = { builders: builders.tag(tag), tally, clock: { now: Date.now() } };
  const parser = createParser(options, target, transform, file);
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
  const fd = openFollowed(file, options.symlinks);
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

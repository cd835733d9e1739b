/** Names of the archive: keys of data objects and commits, tags in keys, incarnations, order of sequence numbers. */
import { TailraceError } from '../base/errors.ts';
import { sha256 } from '../base/sha256.ts';
import type { Codec } from '../chunk/header.ts';

export const COMMITS_FOLDER = '_commits/';
/** The object by which an archiver learns whether conditional writes work. */
export const CONDITIONAL_WRITE_PROBE = `${COMMITS_FOLDER}if-none-match`;
export const DEFAULT_KEY_TEMPLATE = 'logs/tag={tag}/dt={dt}/hour={hour}/{name}';
/** Commit numbers stay below this; it fixes the width of the part that counts down. */
const MAX_COMMITS = 1_000_000_000_000;
/** An encoded tag is at most this long: file systems take names of 255 bytes, S3 keys of 1,024. */
const MAX_ENCODED_TAG = 200;
const DIGEST_DIGITS = 32;
const EXTENSION = { gzip: 'ndjson.gz', zstd: 'ndjson.zst' } as const;

/**
 * Compares two Kinesis sequence numbers, decimal integers of up to 128 digits, by their value.
 *
 * @returns a negative number, zero or a positive one
 */
export function compareSequence(a: string, b: string): number {
  // Without leading zeros the longer number is the greater one; a fraction of what two BigInts cost.
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What tells a stream from the others, and from one of the same name that was deleted. */
export interface StreamIdentity {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** The part of an incarnation that all streams of this account, region and name share. */
export function incarnationFamily(stream: Omit<StreamIdentity, 'createdAt'>): string {
  return sha256(`${stream.account}/${stream.region}/${stream.name}`).slice(0, 10);
}

/** Names one stream from its creation to its deletion; those of one family sort by age. */
export function incarnationOf(stream: StreamIdentity): string {
  const seconds = Math.floor(stream.createdAt / 1000);
  return `${incarnationFamily(stream)}${seconds.toString(16).padStart(8, '0')}`;
}

/** Key of commit `number`; a listing of a shard's commits begins with the newest. */
export function commitKey(prefix: string, incarnation: string, shard: string, number: number): string {
  return commitFolder(prefix, incarnation, shard) + countingDown(number);
}

/** The last part of the key of a log's entry `number`: a listing begins with the newest. */
export function countingDown(number: number): string {
  if (!Number.isSafeInteger(number) || number < 1 || number >= MAX_COMMITS) {
    throw new TailraceError('BAD_COMMIT_NUMBER', `a commit cannot have the number ${number}`);
  }
  const down = (MAX_COMMITS - 1 - number).toString().padStart(12, '0');
  return `${down}-${number}.json`;
}

/** The number of an entry by the last part of its key; null when it is not one. */
export function parseCountingDown(name: string): number | null {
  const match = /^(\d{12})-(\d{1,12})\.json$/.exec(name);
  const number = Number(match?.[2]);
  return match && number >= 1 && MAX_COMMITS - 1 - number === Number(match[1]) ? number : null;
}

/** Where the commits of one shard are. */
export function commitFolder(prefix: string, incarnation: string, shard: string): string {
  return `${prefix}${COMMITS_FOLDER}${incarnation}/${shard}/`;
}

const COMMIT_KEY = /_commits\/([0-9a-f]{18})\/([\w.-]+)\/(\d{12}-\d{1,12}\.json)$/;

/** Takes a commit's key apart; null when it is not one. */
export function parseCommitKey(key: string): { incarnation: string; shard: string; number: number } | null {
  const match = COMMIT_KEY.exec(key);
  if (!match) return null;
  const number = parseCountingDown(match[3]!);
  return number === null ? null : { incarnation: match[1]!, shard: match[2]!, number };
}

/** What a data object's key is made of. */
export interface ObjectName {
  readonly tag: string;
  /** Whole hours since 1970. */
  readonly hour: number;
  readonly codec: Codec;
  readonly incarnation: string;
  readonly shard: string;
  readonly number: number;
  /** The hash of the commit that names the object. */
  readonly hash: string;
  /** What it holds; the names of commits of version 1 do not say it. */
  readonly counts?: { readonly events: number; readonly rawBytes: number };
  /** Letters that tell it from the commit's other objects of this tag, hour and codec; none unless said. */
  readonly part?: string;
}

/** Key of a data object after a template with {tag}, {dt}, {hour}, {shard} and, as its last part, {name}. */
export function objectKey(prefix: string, template: string, object: ObjectName): string {
  const { incarnation, shard, number, hash, codec, counts, part } = object;
  const [dt, hour] = dateAndHour(object.hour);
  const parts: Record<string, string> = {
    tag: encodeTag(object.tag),
    dt,
    hour,
    shard,
    name: `${[
      incarnation,
      shard,
      number,
      hash,
      ...(counts ? [counts.events, counts.rawBytes] : []),
      ...(part ? [part] : []),
    ].join('-')}.${EXTENSION[codec]}`,
  };
  return prefix + template.replace(/\{(\w+)\}/g, (whole, name: string) => parts[name] ?? whole);
}

const OBJECT_NAME =
  /^([0-9a-f]{18})-([\w.-]+)-(\d{1,12})-([0-9a-f]{16})(?:-(\d+)-(\d+)(?:-[a-z]+)?)?\.ndjson\.(gz|zst)$/;

/** What the last part of a data object's key says. */
export interface NameParts {
  readonly incarnation: string;
  readonly shard: string;
  readonly number: number;
  readonly codec: Codec;
  readonly counts: { readonly events: number; readonly rawBytes: number } | null;
}

/** Takes the last part of a data object's key apart; null when it is not one. */
export function parseObjectName(name: string): NameParts | null {
  const match = OBJECT_NAME.exec(name);
  if (!match) return null;
  const [, incarnation, shard, number, , events, rawBytes, extension] = match;
  return {
    incarnation: incarnation!,
    shard: shard!,
    number: Number(number),
    codec: extension === 'gz' ? 'gzip' : 'zstd',
    counts: events === undefined ? null : { events: Number(events), rawBytes: Number(rawBytes) },
  };
}

/**
 * Key of the object by which `consumer --check` learns whether it may write data objects, without the prefix: in the folder
 * that all of them share, under a name that Athena, Spark and Hive pass over.
 */
export function checkProbe(template: string): string {
  const [fixed] = template.split('{', 1);
  return `${fixed!.slice(0, fixed!.lastIndexOf('/') + 1)}_tailrace-check`;
}

/** What is wrong with a key template, or null: names must stay unique and clear of the commits. */
export function templateFault(template: string): string | null {
  if (!template.endsWith('{name}')) return 'must end in {name}';
  if (template.startsWith('/') || template.startsWith(COMMITS_FOLDER)) {
    return `must not begin with / or ${COMMITS_FOLDER}`;
  }
  const unknown = /\{(?!(?:tag|dt|hour|shard|name)\})[^}]*\}?/.exec(template);
  if (unknown) return `has ${unknown[0]}; it may have {tag}, {dt}, {hour}, {shard} and {name}`;
  // A name that is a folder, too, and segments that file systems and HTTP clients read otherwise than S3 does.
  if (template.indexOf('{name}') < template.length - '{name}'.length)
    return 'may have {name} at its end only';
  if (/(?:^|\/)\.{0,2}\//.test(template)) return 'must not have an empty segment, . or .. between slashes';
  if (!/^(?:[\w.\-=/]|\{\w+\})*$/.test(template)) return 'may have letters, digits and . _ - = / only';
  return null;
}

/** `2026-11-23` and `07` of an hour. */
export function dateAndHour(hour: number): [date: string, hour: string] {
  const iso = new Date(hour * 3_600_000).toISOString();
  return [iso.slice(0, 10), iso.slice(11, 13)];
}

/**
 * A tag as part of a key: bytes other than letters, digits, `_`, `-` and `.` as %XX, as Hive writes partitions. A tag
 * of which this would be longer than 200 bytes is cut and ends in `%~` and a hash; its commit has it in full.
 */
export function encodeTag(tag: string): string {
  if (tag === '') return '%';
  const bytes = Buffer.from(tag);
  const plainDots = /^\.+$/.test(tag);
  const parts: string[] = [];
  for (const byte of bytes) {
    const plain = isPlain(byte) && !(plainDots && byte === 0x2e);
    parts.push(plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`);
  }
  const encoded = parts.join('');
  if (encoded.length <= MAX_ENCODED_TAG) return encoded;
  const kept = encoded.slice(0, MAX_ENCODED_TAG - DIGEST_DIGITS - 2).replace(/%.?$/, '');
  return `${kept}%~${sha256(tag).slice(0, DIGEST_DIGITS)}`;
}

/** The tag that {@link encodeTag} made `text` of; null when it was cut there, or is not such a text. */
export function decodeTag(text: string): string | null {
  if (text === '%') return '';
  if (!/^(?:[\w.-]|%[0-9A-F]{2})+$/.test(text)) return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function isPlain(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f
  );
}

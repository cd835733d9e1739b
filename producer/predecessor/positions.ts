/**
 * How far another agent has read the logs that this one is to follow: fluentd's `pos_file`, the database of Fluent Bit's
 * tail, the checkpoints of Vector's file source; and the cursor of each in the systemd journal.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';
import { systemReason } from '../../base/system-error.ts';
import type { TakeOver } from './options.ts';

/** One file that another agent has read up to `offset`. */
export interface OldPosition {
  readonly offset: number;
  /** Its path, and its inode; null where the agent knows files by their content. */
  readonly file: { readonly path: string; readonly inode: string } | null;
  /** CRC-64 (ECMA-182) of its first line with the newline; null where the agent knows files by their inode. */
  readonly firstLine: bigint | null;
}

export interface OldPositions {
  /** When they were written last, in milliseconds since 1970. */
  readonly at: number;
  readonly list: readonly OldPosition[];
}

/** What fluentd writes in the place of an offset when it no longer reads a file. */
const UNWATCHED = 'ffffffffffffffff';
/** What Fluent Bit keeps next to its database until it closes that. */
const WRITE_AHEAD_LOG = '-wal';

/**
 * @returns null when there are none: the other agent never ran here
 * @throws TailraceError TAKE_OVER when there are and they cannot be read: a position that is not known is not guessed
 */
export async function readPositions(from: TakeOver): Promise<OldPositions | null> {
  return reading(from, async () => {
    if (from.agent === 'fluentd') return fluentdPositions(from.file);
    return from.agent === 'vector' ? vectorPositions(from.file) : fluentBitPositions(from.file);
  });
}

/**
 * @returns the cursor behind which another agent's journal input goes on; null when there is none
 * @throws TailraceError TAKE_OVER when there is one and it cannot be read
 */
export async function readCursor(from: TakeOver): Promise<string | null> {
  return reading(from, async () => {
    if (from.agent === 'fluent-bit') {
      const rows = await rowsOf(
        from.file,
        'SELECT cursor FROM in_systemd_cursor ORDER BY rowid DESC LIMIT 1',
      );
      return cursorOf(rows[0]?.['cursor']);
    }
    const text = readFileSync(from.file, 'utf8').trim();
    // fluentd's storage is an object of one cursor.
    return cursorOf(from.agent === 'fluentd' ? (JSON.parse(text) as { journal?: unknown }).journal : text);
  });
}

function cursorOf(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string' && /^\w+=[^\s]+$/.test(value)) return value;
  throw new Error('is not a cursor of the journal');
}

async function reading<T>({ agent, file }: TakeOver, read: () => Promise<T>): Promise<T | null> {
  if (!existsSync(file) && isMissing(file)) return null;
  try {
    return await read();
  } catch (cause) {
    throw new TailraceError(
      'TAKE_OVER',
      `${file}: where ${agent} has stopped cannot be read: ${systemReason(cause)}; stop ${agent} and give the agent the right to read it, or remove take_over to start as read_from_head says`,
      { cause },
    );
  }
}

function isMissing(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

/** A line per file: path, offset and inode in hexadecimal digits, separated by tabs. */
function fluentdPositions(file: string): OldPositions {
  const list: OldPosition[] = [];
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const [, at, offset, inode] = /^([^\t]+)\t([0-9a-fA-F]{16})\t([0-9a-fA-F]{8,16})$/.exec(line) ?? [];
    if (offset === undefined) throw new Error(`is not a pos_file: ${line.slice(0, 80)}`);
    if (offset !== UNWATCHED) list.push(byInode(at!, Number(`0x${offset}`), BigInt(`0x${inode}`)));
  }
  return { at: statSync(file).mtimeMs, list };
}

function byInode(at: string, offset: number, inode: bigint): OldPosition {
  return { offset, file: { path: at, inode: String(inode) }, firstLine: null };
}

const checkpoints = z.object({
  version: z.literal('1'),
  checkpoints: z.array(
    z.object({
      fingerprint: z.object({
        first_lines_checksum: z.optional(z.bigint()),
        first_line_checksum: z.optional(z.bigint()),
        dev_inode: z.optional(z.tuple([z.bigint(), z.bigint()])),
      }),
      position: z.bigint(),
      modified: z.string(),
    }),
  ),
});

function vectorPositions(file: string): OldPositions {
  // Checksums have more digits than a number holds.
  const value: unknown = JSON.parse(
    readFileSync(file, 'utf8'),
    (_, each: unknown, { source }: { source?: string } = {}) =>
      typeof each === 'number' ? BigInt(source!) : each,
  );
  const parsed = z.safeParse(checkpoints, value);
  if (!parsed.success) throw new Error('is not a checkpoints.json of Vector');
  const list = parsed.data.checkpoints.map(({ fingerprint, position }): OldPosition => {
    const { first_lines_checksum, first_line_checksum, dev_inode } = fingerprint;
    const offset = Number(position);
    if (dev_inode !== undefined) return byInode('', offset, dev_inode[1]);
    return { offset, file: null, firstLine: first_lines_checksum ?? first_line_checksum ?? null };
  });
  return { at: statSync(file).mtimeMs, list };
}

async function fluentBitPositions(file: string): Promise<OldPositions> {
  const rows = await rowsOf(file, 'SELECT name, offset, inode FROM in_tail_files ORDER BY id');
  const list = rows.map(({ name, offset, inode }) => byInode(String(name), Number(offset), inode as bigint));
  const written = [file, `${file}${WRITE_AHEAD_LOG}`].map((each) =>
    statSync(each, { throwIfNoEntry: false }),
  );
  return { at: Math.max(...written.map((stats) => stats?.mtimeMs ?? 0)), list };
}

/** Reads a copy: a database with a log next to it can only be opened where one may write. */
async function rowsOf(file: string, query: string): Promise<Record<string, unknown>[]> {
  const { DatabaseSync } = await import('node:sqlite');
  const folder = mkdtempSync(path.join(tmpdir(), 'tailrace-take-over-'));
  try {
    const copy = path.join(folder, 'positions.db');
    copyFileSync(file, copy);
    if (existsSync(`${file}${WRITE_AHEAD_LOG}`))
      copyFileSync(`${file}${WRITE_AHEAD_LOG}`, `${copy}${WRITE_AHEAD_LOG}`);
    const database = new DatabaseSync(copy);
    try {
      const statement = database.prepare(query);
      statement.setReadBigInts(true);
      return statement.all() as Record<string, unknown>[];
    } finally {
      database.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** CRC-64 of ECMA-182, as Vector takes it of a file's first line. */
export function crc64(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) crc = ((crc << 8n) & MASK) ^ TABLE[Number(crc >> 56n) ^ byte]!;
  return crc;
}

const MASK = 0xffff_ffff_ffff_ffffn;
const POLYNOMIAL = 0x42f0_e1eb_a9ea_3693n;
const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let crc = BigInt(byte) << 56n;
  for (let bit = 0; bit < 8; bit++) crc = ((crc << 1n) & MASK) ^ (crc >> 63n === 1n ? POLYNOMIAL : 0n);
  return crc;
});

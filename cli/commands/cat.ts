/** `tailrace cat`: prints archived events as NDJSON. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Command } from 'commander';
import { Catalog } from '../../archive/catalog.ts';
import type { CommitObject } from '../../archive/commit.ts';
import type { S3Store } from '../../archive/s3.ts';
import { zstdFrames } from '../../archive/zstd-frames.ts';
import { TailraceError } from '../../base/errors.ts';
import { plainLines } from '../../base/human.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../archive-options.ts';
import { type RangeOptions, rangeOf, withRangeOptions } from '../archive-range.ts';
import { progress } from '../progress.ts';

interface CatOptions extends ArchiveOptions, RangeOptions {
  readonly grep?: string;
  readonly follow?: boolean;
}

const FETCHED_AHEAD = 4;
const PART_BYTES = 8 * 1024 * 1024;
const POLL_MS = 1000;
/** A line longer than any archived event is printed in pieces: it need not end at all. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

export function command(): Command {
  const cat = new Command('cat')
    .description(
      'Print archived events as NDJSON, hour by hour: only what the commits name, each event once.',
    )
    .option('--grep <text>', 'only lines that contain this')
    .option('--follow', 'keep printing as more is archived')
    .addHelpText(
      'after',
      '\nExit codes: 0 printed, 1 an object is damaged or gone, 2 bad usage, or the archive cannot be read.',
    );
  return withArchiveOptions(withRangeOptions(cat)).action(run);
}

async function run(options: CatOptions): Promise<void> {
  const filter = rangeOf(options, Date.now());
  const { store, prefix } = await openArchive(options);
  // A progress line would end up among the events on a terminal that shows both.
  const line = progress(!process.stdout.isTTY && !options.follow);
  const catalog = new Catalog(store, prefix, line?.show);
  const print = printer(options.grep);
  // A reader that has seen enough, such as head, closes the pipe.
  process.stdout.on('error', () => process.exit(0));
  for (;;) {
    const entries = await catalog.next(filter, true);
    const bodies = entries.map(({ object }) => object);
    let done = 0;
    for await (const { object, bytes } of fetchAhead(store, bodies)) {
      await printObject(object, bytes, print);
      done += 1;
      line?.show(done, bodies.length, 'objects');
    }
    line?.clear();
    if (!options.follow) break;
    await sleep(POLL_MS);
  }
  store.close();
}

/** The objects in order, a few of them fetched ahead. */
async function* fetchAhead(
  store: S3Store,
  objects: readonly CommitObject[],
): AsyncGenerator<{ object: CommitObject; bytes: Buffer }> {
  const coming: Promise<Buffer>[] = [];
  for (let i = 0; i < objects.length; i++) {
    while (coming.length < FETCHED_AHEAD && i + coming.length < objects.length) {
      const next = fetchObject(store, objects[i + coming.length]!);
      // A failure is reported when its turn comes.
      next.catch(() => {});
      coming.push(next);
    }
    yield { object: objects[i]!, bytes: await coming.shift()! };
  }
}

/** Fetches large objects in parallel parts. */
async function fetchObject(store: S3Store, object: CommitObject): Promise<Buffer> {
  const parts: Promise<Buffer | null>[] = [];
  if (object.bytes <= PART_BYTES) parts.push(store.get(object.key));
  else {
    for (let at = 0; at < object.bytes; at += PART_BYTES) {
      parts.push(store.range(object.key, at, Math.min(object.bytes, at + PART_BYTES) - 1));
    }
  }
  const bytes = await Promise.all(parts);
  if (!bytes.every((part) => part !== null)) {
    throw new TailraceError(
      'OBJECT_MISSING',
      `${object.key} is missing: expired by a lifecycle rule, or deleted`,
    );
  }
  return Buffer.concat(bytes);
}

async function printObject(
  object: CommitObject,
  bytes: Buffer,
  print: (part: Buffer) => Promise<void>,
): Promise<void> {
  // Streamed: anyone who can write to the stream can make a chunk that inflates to any size.
  const members = object.codec === 'zstd' ? zstdFrames(bytes) : [bytes];
  for (const member of members) {
    const inflate = object.codec === 'zstd' ? createZstdDecompress() : createGunzip();
    inflate.end(member);
    for await (const part of inflate) await print(part as Buffer);
  }
}

/** Writes to stdout, in whole lines when a person is looking. */
function printer(grep: string | undefined): (part: Buffer) => Promise<void> {
  const { stdout } = process;
  const write = async (data: Buffer | string): Promise<void> => {
    if (data.length > 0 && !stdout.write(data)) await once(stdout, 'drain');
  };
  if (grep === undefined && !stdout.isTTY) return write;
  let held: Buffer[] = [];
  let heldBytes = 0;
  return async (part) => {
    let end = part.lastIndexOf(0x0a) + 1;
    heldBytes += part.length;
    if (end === 0 && heldBytes > MAX_LINE_BYTES) end = part.length;
    if (end === 0) {
      held.push(part);
      return;
    }
    const all = Buffer.concat([...held, part.subarray(0, end)]);
    held = [part.subarray(end)];
    heldBytes = part.length - end;
    const lines = all.toString().split('\n');
    if (lines.at(-1) === '') lines.pop();
    const kept = grep === undefined ? lines : lines.filter((line) => line.includes(grep));
    if (kept.length === 0) return;
    const text = `${kept.join('\n')}\n`;
    await write(stdout.isTTY ? plainLines(text) : text);
  };
}

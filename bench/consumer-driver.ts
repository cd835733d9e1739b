/** KCL's side of the multilang protocol, and the chunks that it hands over: for benches of what serves shards. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { readHeader, setCrc, writeHeader } from '../chunk/header.ts';
import { encodeChunk } from '../chunk/writer.ts';

export const CHILD = path.join(import.meta.dirname, '..', 'consumer', 'shard', 'child.ts');
const TICKS_PER_SECOND = 100;

/** KCL's side of the protocol: a line out, lines in until the status. */
export class Driver {
  readonly #input: Writable;
  readonly #output: Readable;
  #done: (() => void) | null = null;
  checkpoints = 0;

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    this.#output = output;
    readline.createInterface({ input: output }).on('line', (line) => this.#onLine(line));
  }

  call(line: string): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#input.write(`${line}\n`);
    });
  }

  destroy(): void {
    this.#input.destroy();
    this.#output.destroy();
  }

  #onLine(line: string): void {
    if (line === '') return;
    const message = JSON.parse(line) as { action: string; sequenceNumber?: string };
    if (message.action === 'checkpoint') {
      this.checkpoints += 1;
      const answer = { action: 'checkpoint', checkpoint: message.sequenceNumber };
      this.#input.write(`${JSON.stringify(answer)}\n`);
    } else if (message.action === 'status') {
      this.#done?.();
    }
  }
}

const LANE = '0'.repeat(31).concat('1');

/** A chunk of about a full record's size whose content does not compress any further. */
export function makeChunk(i: number, bytes: number): (sequence: number) => Buffer {
  const raw = randomBytes((bytes * 3) / 4);
  const line = Buffer.from(`${JSON.stringify({ message: raw.toString('base64') })}\n`);
  return (sequence) =>
    encodeChunk(
      line,
      {
        lane: LANE,
        sequence,
        producer: LANE,
        epoch: '0'.repeat(15).concat('1'),
        ordinal: sequence,
        floor: '0'.repeat(15).concat('1'),
        previous: null,
        end: false,
        tag: `bench.${i % 2}`,
        hour: 494_000,
        firstTime: 494_000 * 3_600_000,
        lastTime: 494_000 * 3_600_000,
        events: 1,
      },
      { codec: 'gzip', level: 1 },
    );
}

/** The same content for many lanes and sequences: a chunk costs a copy and a checksum. */
export function chunkCopies(bytes: number): (lane: string, sequence: number) => Buffer {
  const template = makeChunk(0, bytes)(1);
  const header = readHeader(template);
  const tag = Buffer.from(header.tag);
  return (lane, sequence) => {
    const chunk = Buffer.from(template);
    writeHeader(chunk, 'gzip', tag, { ...header, lane, producer: lane, sequence, ordinal: sequence });
    setCrc(chunk, 'gzip', crc32(chunk));
    return chunk;
  };
}

export function cpuSeconds(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    readline.createInterface({ input: child.stdout! }).once('line', resolve);
  });
}

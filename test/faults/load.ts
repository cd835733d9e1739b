/** Events with ids: logs that are rotated while they are written, and forward clients that want every ack. */
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { RawClient } from '../support/forward.ts';
import { array, bin, eventTime, map, str } from '../support/msgpack-values.ts';
import { NumberedLog } from '../support/numbered-log.ts';
import { eventId } from './oracle.ts';
import { within } from './wait.ts';

const TICK_MS = 100;
/** Rotated files that are kept: an agent may be away for some of them. */
const KEPT = 40;
const ACK_MS = 5_000;
const EVENTS_A_MESSAGE = 50;

export interface Source {
  readonly name: string;
  /** Events that are promised: in the file, or acknowledged. All numbers below are. */
  readonly made: number;
  /** Ends when everything begun is promised. */
  stop(): Promise<void>;
}

/** @param at what it was written at, ms since 1970 */
export type LogLine = (name: string, n: number, at: number) => string;

export function nginxLine(name: string, n: number, at: number): string {
  const now = new Date(at);
  const [day, month, year] = [now.getUTCDate(), MONTHS[now.getUTCMonth()], now.getUTCFullYear()];
  const time = `${String(day).padStart(2, '0')}/${month}/${year}:${now.toISOString().slice(11, 19)} +0000`;
  return `10.0.${n & 7}.${n & 31} - - [${time}] "GET /items/${n % 97}?e=${eventId(name, n)} HTTP/1.1" 200 ${n & 4095} "-" "load/1.0"`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function jsonLine(name: string, n: number): string {
  return `{"id":"${eventId(name, n)}","path":"/items/${n % 97}","ms":${n & 63}}`;
}

/** Writes a log at a steady rate and rotates it as logrotate does, each second rotated file compressed. */
export class LogSource implements Source {
  readonly name: string;
  readonly #log: NumberedLog;
  readonly #rotation: 'rename' | 'copytruncate';
  readonly #perTick: number;
  readonly #rotateEvery: number;
  #rotations = 0;
  #sinceRotation = 0;
  #timer: NodeJS.Timeout;

  /** @param rate lines a second; @param rotateEvery milliseconds; @param now the logs' time */
  constructor(
    name: string,
    file: string,
    line: LogLine,
    rotation: 'rename' | 'copytruncate',
    rate: number,
    rotateEvery: number,
    now: () => number,
  ) {
    this.name = name;
    this.#log = new NumberedLog(file, name, (n) => line(name, n, now()));
    this.#rotation = rotation;
    this.#perTick = Math.max(1, Math.round((rate * TICK_MS) / 1000));
    this.#rotateEvery = rotateEvery;
    fs.writeFileSync(file, '');
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  get made(): number {
    return this.#log.written;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.#log.write(this.#perTick);
    this.#sinceRotation += TICK_MS;
    if (this.#sinceRotation < this.#rotateEvery) return;
    this.#sinceRotation = 0;
    this.#rotations++;
    if (this.#rotation === 'rename') this.#log.rename();
    else this.#log.copyTruncate();
    if (this.#rotations % 2 === 0) this.#log.compress(2);
    this.#log.forget(KEPT);
  }
}

/** Sends message after message, and resends each with the same chunk id until its ack comes. */
export class ForwardSource implements Source {
  readonly name: string;
  made = 0;
  /** Messages that were resent. */
  again = 0;
  readonly #port: number;
  readonly #pause: number;
  readonly #now: () => number;
  readonly #done: Promise<void>;
  #running = true;
  #client: RawClient | null = null;

  /** @param rate events a second; @param now the logs' time */
  constructor(name: string, port: number, rate: number, now: () => number) {
    this.name = name;
    this.#port = port;
    this.#now = now;
    this.#pause = (1000 * EVENTS_A_MESSAGE) / rate;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
    this.#client?.end();
  }

  async #run(): Promise<void> {
    for (let due = performance.now(); this.#running; due += this.#pause) {
      await sleep(Math.max(0, due - performance.now()));
      await this.#deliver(this.#message(this.made));
      this.made += EVENTS_A_MESSAGE;
    }
  }

  async #deliver(bytes: Buffer): Promise<void> {
    for (let tries = 0; ; tries++) {
      if (tries > 0) this.again++;
      this.#client ??= await RawClient.open(this.#port).catch(() => null);
      if (this.#client === null) {
        await sleep(50);
        continue;
      }
      this.#client.send(bytes);
      if ((await within(ACK_MS, this.#client.read())) !== null) return;
      this.#client.end();
      this.#client = null;
    }
  }

  #message(first: number): Buffer {
    const seconds = Math.floor(this.#now() / 1000);
    const entries = Array.from({ length: EVENTS_A_MESSAGE }, (_, i) =>
      array([
        eventTime(seconds, i),
        map([
          [str('id'), str(eventId(this.name, first + i))],
          [str('level'), str('info')],
        ]),
      ]),
    );
    const tag = str(`app.${this.name}`);
    const chunk = [str('chunk'), str(`${this.name}/${first}\n`)] as const;
    const packed = Buffer.concat(entries);
    const compressed = (codec: string): Buffer => map([chunk, [str('compressed'), str(codec)]]);
    switch ((first / EVENTS_A_MESSAGE) % 4) {
      case 0:
        return array([tag, array(entries), map([chunk])]);
      case 1:
        return array([tag, bin(packed), map([chunk])]);
      case 2:
        return array([tag, bin(gzipSync(packed)), compressed('gzip')]);
      default:
        return array([tag, bin(zstdCompressSync(packed)), compressed('zstd')]);
    }
  }
}

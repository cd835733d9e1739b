/**
 * The web server of the soak: it writes to many logs and to a busy one, paced by the clock, and rotates them as
 * logrotate does. Each time it is asked it says how many lines it has written; `end` is asked for last.
 */
import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { accessLines } from './tail-lines.ts';

/** What it is started with, as one argument in JSON. */
export interface WriterOptions {
  readonly folder: string;
  readonly files: number;
  /** Lines a second to the busy log, and to all others together. */
  readonly busy: number;
  readonly others: number;
  /** So many lines at once to the busy log, and how often that happens. */
  readonly burst: number;
  readonly burstSeconds: number;
}

const TICK_MS = 100;
const MOST_MS = 5000;
/** Lines that another log gets at a time. */
const AT_A_TIME = 10;
const BUSY_ROTATES_AT = 64 * 2 ** 20;
const OTHERS_ROTATE_AT = 8 * 2 ** 10;
const BURST_PIECE = 10_000;
/** Rotated generations of a log that are kept. */
const BUSY_KEPT = 8;
const OTHERS_KEPT = 1;

const options = JSON.parse(process.argv[2]!) as WriterOptions;
const began = performance.now();
let written = 0;
/** Lines that are due and not yet written, because only whole groups are. */
let owedBusy = 0;
let owedOthers = 0;
let owedBurst = 0;
let bursts = 1;
let last = began;
let ended = false;
let next = 0;

/** A log that is open, and its size. */
class Log {
  readonly #path: string;
  readonly #rotatesAt: number;
  readonly #kept: number;
  #file: number;
  #size = 0;

  constructor(path: string, rotatesAt: number, kept: number) {
    this.#path = path;
    this.#rotatesAt = rotatesAt;
    this.#kept = kept;
    this.#file = openSync(path, 'a');
  }

  write(lines: number): void {
    // Line n is of n / 2000 seconds after the start that is given: the time of these is now.
    const text = accessLines(written, lines, Date.now() - Math.floor(written / 2000) * 1000);
    const bytes = Buffer.from(text);
    this.#size += writeSync(this.#file, bytes);
    written += lines;
    if (this.#size < this.#rotatesAt) return;
    closeSync(this.#file);
    for (let n = this.#kept; n > 1; n--) {
      if (existsSync(`${this.#path}.${n - 1}`)) renameSync(`${this.#path}.${n - 1}`, `${this.#path}.${n}`);
    }
    renameSync(this.#path, `${this.#path}.1`);
    this.#file = openSync(this.#path, 'a');
    this.#size = 0;
  }
}

const busy = new Log(join(options.folder, 'busy', 'access.log'), BUSY_ROTATES_AT, BUSY_KEPT);
const others = Array.from(
  { length: options.files },
  (_, i) => new Log(logName(i), OTHERS_ROTATE_AT, OTHERS_KEPT),
);

function logName(i: number): string {
  return join(options.folder, `app${Math.floor(i / 1000)}`, `${i}.log`);
}

function tick(): void {
  const now = performance.now();
  // A machine that stood still has nothing to catch up with.
  const seconds = Math.min(now - last, MOST_MS) / 1000;
  last = now;
  owedBusy += seconds * options.busy;
  owedOthers += seconds * options.others;
  if (now - began > bursts * options.burstSeconds * 1000) {
    bursts++;
    owedBurst += options.burst;
  }
  const whole = Math.floor(owedBusy);
  if (whole > 0) busy.write(whole);
  owedBusy -= whole;
  for (; owedOthers >= AT_A_TIME; owedOthers -= AT_A_TIME) {
    others[next++ % others.length]?.write(AT_A_TIME);
  }
  for (; owedBurst >= BURST_PIECE; owedBurst -= BURST_PIECE) busy.write(BURST_PIECE);
}

const timer = setInterval(tick, TICK_MS);
process.on('message', (message) => {
  if (message === 'end' && !ended) {
    ended = true;
    clearInterval(timer);
  }
  process.send!(written);
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');

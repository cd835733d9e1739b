/**
 * The journald input: reads the systemd journal through journalctl, from a cursor that the state keeps. An entry and
 * its cursor go into the same cut, so none is lost or repeated, whatever ends the agent or journalctl.
 */
import { type ChildProcessByStdio, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';
import type { Counter } from '../counters.ts';
import { compileInner } from '../format/compile.ts';
import { Tally } from '../format/json-bytes.ts';
import { keepLine } from '../format/kept.ts';
import { type Target, UNPARSED } from '../format/parser.ts';
import { type RecordParser, takeRecord } from '../format/record.ts';
import { Transform } from '../format/transform.ts';
import { type Input, type InputContext, inputName } from '../input.ts';
import { resolvePlaceholders } from '../instance/placeholders.ts';
import { readCursor } from '../predecessor/positions.ts';
import { compileEntry, withMessage } from './entry.ts';
import type { JournaldOptions } from './options.ts';

export const CURSOR = 'cursor';
/** Milliseconds until journalctl is restarted after it ended by itself. */
const RESTART = 1000;
/** Milliseconds between questions whether the journal has more than was read, and bytes of an answer at most. */
const ASK_EVERY = 60_000;
const ASK_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

const TALLIES: readonly (readonly [keyof Tally, string])[] = [
  ['events', 'tailrace_agent_journald_events_total'],
  ['unparsed', 'tailrace_agent_journald_unparsed_total'],
  ['hashed', 'tailrace_agent_journald_hashed_lines_total'],
  ['truncated', 'tailrace_agent_journald_truncated_lines_total'],
  ['excluded', 'tailrace_agent_journald_excluded_total'],
];

type Journalctl = ChildProcessByStdio<null, Readable, Readable>;

export function createJournaldInput(options: JournaldOptions, context: InputContext): Input {
  return new JournaldInput(options, context);
}

class JournaldInput implements Input {
  readonly name: string;
  readonly #options: JournaldOptions;
  readonly #context: InputContext;
  readonly #tally = new Tally();
  readonly #clock: { now: number };
  readonly #read: ReturnType<typeof compileEntry>;
  readonly #counters: readonly (readonly [keyof Tally, Counter])[];
  readonly #dropped: Counter;
  #target!: Target;
  #transform!: Transform;
  #inner: RecordParser | null = null;
  #child: Journalctl | null = null;
  #rest: Buffer = Buffer.alloc(0);
  #running = false;
  #paused = false;
  #restart: NodeJS.Timeout | null = null;
  #draining: Promise<void> | null = null;
  #askTimer: NodeJS.Timeout | null = null;
  #readUpTo = 0;

  constructor(options: JournaldOptions, context: InputContext) {
    this.#options = options;
    this.#context = context;
    this.name = inputName(options);
    this.#clock = { now: context.now() };
    this.#read = compileEntry(options.fields === 'all');
    this.#dropped = context.counters.counter('tailrace_agent_journald_dropped_lines_total', {
      input: this.name,
    });
    this.#counters = TALLIES.map(([key, name]) => [
      key,
      context.counters.counter(name, { input: this.name }),
    ]);
  }

  get readUpTo(): number {
    return this.#readUpTo;
  }

  async start(): Promise<void> {
    const { builders, counters, metadata, state, afterDurable } = this.#context;
    this.#transform = new Transform(
      this.#options,
      await resolvePlaceholders(this.#options.add, metadata),
      counters.counter('tailrace_agent_journald_redacted_values_total', { input: this.name }),
    );
    this.#target = { builders: builders.tag(this.#options.tag), tally: this.#tally, clock: this.#clock };
    const { format } = this.#options;
    if (format !== undefined) this.#inner = compileInner(format, this.#target, this.#transform);
    // A cursor that is not one would have the whole journal read once more.
    if (state.read(CURSOR, z.string()) === undefined) {
      // What was there before the first start is known from now on.
      state.set(
        CURSOR,
        (await this.#takenOver()) ?? (this.#options.read_from_head ? '' : this.#lastCursor()),
      );
      afterDurable(() => undefined, true);
    } else {
      this.#journalctl(['--lines=0']);
    }
    this.#running = true;
    this.#follow();
    this.#askTimer = setInterval(() => this.#askForMore(), ASK_EVERY).unref();
  }

  beforeCut(): void {}

  pause(): void {
    this.#paused = true;
    this.#child?.stdout.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#child?.stdout.resume();
  }

  drain(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    this.#draining ??= this.#readToEnd().finally(() => {
      this.#draining = null;
    });
    return this.#draining;
  }

  async stop(): Promise<void> {
    this.#running = false;
    if (this.#restart) clearTimeout(this.#restart);
    if (this.#askTimer) clearInterval(this.#askTimer);
    await this.#end();
  }

  /** Asks whether the journal has anything behind the cursor: if not, all that it had at this time was read. */
  #askForMore(): void {
    const asked = this.#context.now();
    const cursor = this.#context.state.get(CURSOR);
    execFile('journalctl', this.#arguments(['--lines=1']), { maxBuffer: ASK_BYTES }, (error, stdout) => {
      if (error === null && stdout.trim() === '' && this.#context.state.get(CURSOR) === cursor)
        this.#readUpTo = Math.max(this.#readUpTo, asked);
    });
  }

  /** Reads to the journal's end without waiting for more, and follows it from there. */
  async #readToEnd(): Promise<void> {
    await this.#end();
    if (!this.#running) return;
    for (;;) {
      const child = this.#spawn([]);
      const [code] = (await once(child, 'close')) as [number | null];
      if (this.#child === child) this.#child = null;
      if (!this.#running) return;
      if (code === 0) break;
      this.#context.log.error({ code }, 'journalctl failed, and is restarted');
      await setTimeoutPromise(RESTART);
    }
    this.#follow();
  }

  #follow(): void {
    const child = this.#spawn(['--follow']);
    child.on('close', (code) => {
      if (this.#child !== child || !this.#running) return;
      this.#child = null;
      this.#context.log.error({ code }, 'journalctl ended, and is restarted');
      this.#restart = setTimeout(() => this.#follow(), RESTART);
    });
  }

  #spawn(how: readonly string[]): Journalctl {
    if (this.#restart) clearTimeout(this.#restart);
    this.#rest = Buffer.alloc(0);
    const child = spawn('journalctl', this.#arguments(how), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout.on('data', (bytes: Buffer) => this.#take(child, bytes));
    child.stderr.on('data', (bytes: Buffer) => {
      this.#context.log.warn({ stderr: bytes.toString('utf8').trim() }, 'journalctl says');
    });
    child.on('error', (error) => this.#context.log.error({ err: error }, 'journalctl cannot be started'));
    if (this.#paused) child.stdout.pause();
    return child;
  }

  /** Ends the journalctl that runs. What it had written and was not read yet is read by the next one. */
  async #end(): Promise<void> {
    if (this.#restart) clearTimeout(this.#restart);
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const closed = once(child, 'close');
    child.stdout.resume();
    child.kill('SIGTERM');
    await closed;
  }

  #arguments(how: readonly string[]): string[] {
    const { units = [], matches = [], directory } = this.#options;
    const cursor = this.#context.state.get(CURSOR);
    return [
      '--output=json',
      '--all',
      '--quiet',
      '--no-pager',
      // Following shows the last ten entries alone otherwise.
      ...(how.includes('--follow') ? ['--no-tail'] : []),
      ...how,
      ...(directory === undefined ? [] : [`--directory=${directory}`]),
      ...(typeof cursor === 'string' && cursor !== '' ? [`--after-cursor=${cursor}`] : []),
      ...units.map((unit) => `--unit=${unit}`),
      ...matches,
    ];
  }

  /** @throws TailraceError JOURNALD when journalctl cannot be run */
  #journalctl(how: readonly string[]): string {
    try {
      return execFileSync('journalctl', this.#arguments(how), {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (cause) {
      const { code, stderr } = cause as NodeJS.ErrnoException & { readonly stderr?: string };
      const why = code === 'ENOENT' ? 'journalctl is not installed' : (stderr?.trim() ?? String(code));
      throw new TailraceError(
        'JOURNALD',
        `the journal cannot be read: ${why}; run the agent as a member of the group systemd-journal, on a host with systemd`,
        { cause },
      );
    }
  }

  /** The cursor at which another agent has stopped. */
  async #takenOver(): Promise<string | null> {
    const { take_over: from } = this.#options;
    if (from === undefined) return null;
    const cursor = await readCursor(from);
    if (cursor === null)
      this.#context.log.warn(from, 'the other agent has left no position: starts as read_from_head says');
    else this.#context.log.info(from, 'goes on where the other agent has stopped');
    return cursor;
  }

  #lastCursor(): string {
    const line = this.#journalctl(['--lines=1']).trim();
    return line === '' ? '' : (this.#read(line)?.cursor ?? '');
  }

  /** Takes whole lines; each moves the cursor with its event. */
  #take(child: Journalctl, bytes: Buffer): void {
    if (this.#child !== child) return;
    this.#clock.now = this.#context.now();
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    let cursor: string | null = null;
    for (let newline = data.indexOf(NEWLINE); newline >= 0; newline = data.indexOf(NEWLINE, at)) {
      cursor = this.#event(data.subarray(at, newline)) ?? cursor;
      at = newline + 1;
    }
    this.#rest = data.subarray(at);
    if (cursor !== null) this.#context.state.set(CURSOR, cursor);
    for (const [key, counter] of this.#counters) {
      counter.value += this.#tally[key];
      this.#tally[key] = 0;
    }
  }

  /** Writes one event and returns its cursor; null for a line that is not an entry. */
  #event(line: Buffer): string | null {
    const read = this.#read(line.toString('utf8'));
    if (read === null) {
      this.#dropped.value += 1;
      this.#context.log.error(
        { line: line.toString('utf8', 0, 200) },
        'journalctl wrote what is not an entry',
      );
      return null;
    }
    const entry = this.#inner === null ? read : withMessage(read, this.#inner, this.#clock.now);
    const message = String(read.record['message']);
    if (!takeRecord(this.#target, this.#transform, entry, line)) {
      const text = Buffer.from(message);
      keepLine(this.#target, this.#transform, text, 0, text.length, UNPARSED);
    }
    // Entries come in the journal's order.
    if (read.time !== null) this.#readUpTo = Math.max(this.#readUpTo, Math.min(read.time, this.#clock.now));
    return read.cursor;
  }
}

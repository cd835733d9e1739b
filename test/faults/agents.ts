/** The agents of a run, and everything that happens to them. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { inflateChunk } from '../../chunk/reader.ts';
import { ask } from '../../producer/control/protocol.ts';
import { recoverSegment } from '../../producer/spool/recovery.ts';
import type { AgentStatus } from '../../producer/status.ts';
import type { Pace } from './log-clock.ts';
import { Service } from './processes.ts';
import type { Fault } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import { until, within } from './wait.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const CLI = path.join(ROOT, 'cli', 'tailrace.ts');
const CLOCK = path.join(import.meta.dirname, 'clock.ts');
const UP_MS = 60_000;
const STATUS_MS = 3_000;
/** Of the file system that a spool has for itself. */
const DISK_BYTES = 48 * 1024 * 1024;
/** By how much a clock is off at most while it is. */
const CLOCK_JUMP_MS = 3 * 3_600_000;

export interface AgentOptions {
  readonly name: string;
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  /** The command as servers get it: bundled, a build of its own. */
  readonly otherBuild: string;
  readonly pace: Pace;
  readonly timeline: Timeline;
}

export class AgentUnderTest {
  readonly name: string;
  readonly state: string;
  readonly #options: AgentOptions;
  readonly #service: Service;
  readonly #clock: string;
  readonly #damagedSegments = new Set<string>();
  #packaged = false;
  /** Whether the state directory is a file system of its own that can be filled. */
  #ownDisk = false;
  /** Ids of events in chunks that were destroyed on the disk. */
  readonly destroyed = new Set<string>();
  /** The chunks that they were in: `lane/sequence`. */
  readonly destroyedChunks = new Set<string>();

  constructor(options: AgentOptions) {
    const { name, folder, config, env, otherBuild, pace, timeline } = options;
    this.name = name;
    this.#options = options;
    this.state = path.join(folder, 'state');
    this.#clock = path.join(folder, 'clock');
    fs.mkdirSync(this.state, { recursive: true, mode: 0o700 });
    this.#ownDisk = mountDisk(this.state) === null;
    const file = path.join(folder, 'agent.yaml');
    fs.writeFileSync(file, stringify({ state_dir: this.state, ...config }));
    this.#service = new Service({
      name,
      args: () => ['--import', CLOCK, this.#packaged ? otherBuild : CLI, 'agent', '--config', file],
      env: { ...env, FAULTS_CLOCK: this.#clock, FAULTS_PACE: JSON.stringify(pace) },
      logFile: path.join(folder, 'agent.log'),
      onEnd: (what) => timeline.violation(what),
    });
  }

  get pid(): number | null {
    return this.#service.pid;
  }

  /** Starts it and resolves when it answers, with the milliseconds that took. */
  async start(): Promise<number> {
    this.#service.start();
    return until(`${this.name} answers`, UP_MS, async () => (await this.status())?.state !== 'starting');
  }

  /** Null while it does not answer, and reported as `starting` by {@link start} until it does. */
  async status(): Promise<AgentStatus | { readonly state: 'starting' }> {
    const answer = async (): Promise<AgentStatus | null> => {
      try {
        for await (const status of ask(this.state, { command: 'status' }))
          return status as unknown as AgentStatus;
      } catch {
        // Not up yet, or not any more.
      }
      return null;
    };
    return (await within(STATUS_MS, answer())) ?? { state: 'starting' };
  }

  /** Does what a fault says, and sees that the agent recovers. */
  async suffer(fault: Fault): Promise<void> {
    const { kind, ms, pick } = fault;
    const { timeline } = this.#options;
    const at = timeline.now;
    const add = (note?: string, recovered?: number): void =>
      timeline.add(
        {
          target: this.name,
          kind,
          ...(note === undefined ? {} : { note }),
          ...(recovered === undefined ? {} : { recovery: { of: 'agent restarted', ms: recovered } }),
        },
        at,
      );
    switch (kind) {
      case 'kill':
      case 'stay away': {
        await this.#service.end('SIGKILL');
        await sleep(ms);
        add(`away for ${ms} ms`, await this.start());
        return;
      }
      case 'restart': {
        const code = await this.#service.end('SIGTERM');
        await sleep(ms);
        add(`ended with ${code}`, await this.start());
        return;
      }
      case 'other build': {
        await this.#service.end(pick < 0.7 ? 'SIGKILL' : 'SIGTERM');
        this.#packaged = !this.#packaged;
        add(this.#packaged ? 'the packaged one' : 'that of the source', await this.start());
        return;
      }
      case 'freeze': {
        this.#service.signal('SIGSTOP');
        await sleep(ms);
        this.#service.signal('SIGCONT');
        add(`for ${ms} ms`);
        return;
      }
      case 'second agent': {
        const frozen = pick < 0.5;
        if (frozen) this.#service.signal('SIGSTOP');
        try {
          add(`refused with exit code ${await this.#second()}${frozen ? ', the first was frozen' : ''}`);
        } finally {
          if (frozen) this.#service.signal('SIGCONT');
        }
        return;
      }
      case 'clock jump': {
        const offset = Math.round((pick * 2 - 1) * CLOCK_JUMP_MS);
        fs.writeFileSync(this.#clock, String(offset));
        await sleep(ms);
        fs.rmSync(this.#clock, { force: true });
        add(`by ${Math.round(offset / 1000)} s for ${ms} ms`);
        return;
      }
      case 'full disk':
        await this.#fillDisk(ms, at);
        return;
      case 'damaged spool': {
        await this.#service.end('SIGKILL');
        const note = this.#damage(pick);
        add(note, await this.start());
        return;
      }
      case 'flush': {
        const code = await this.flush('60s');
        add(`exit code ${code}`);
        return;
      }
      default:
        throw new Error(`no fault ${kind} of an agent`);
    }
  }

  /** `tailrace flush`; resolves with its exit code. */
  async flush(timeout: string): Promise<number> {
    return this.#command('flush', '--state', this.state, '--timeout', timeout, '--quiet');
  }

  /** Its end in order; resolves with the exit code. */
  async stop(): Promise<number | string> {
    return this.#service.end('SIGTERM');
  }

  async kill(): Promise<void> {
    this.#service.signal('SIGCONT');
    await this.#service.end('SIGKILL');
    if (this.#ownDisk) spawnSync('umount', ['-l', this.state]);
  }

  /** Undoes whatever an interrupted fault has left. */
  heal(): void {
    this.#service.signal('SIGCONT');
    fs.rmSync(this.#clock, { force: true });
    fs.rmSync(path.join(this.state, 'ballast'), { force: true });
  }

  async #command(...args: string[]): Promise<number> {
    const child = spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...this.#options.env } });
    child.stdout.resume();
    child.stderr.resume();
    const [code] = await once(child, 'close');
    return code as number;
  }

  /** A second agent on the same state directory must end by itself, whatever the first one does. */
  async #second(): Promise<number> {
    const child = spawn(
      process.execPath,
      [CLI, 'agent', '--config', path.join(this.#options.folder, 'agent.yaml')],
      { env: { ...process.env, ...this.#options.env }, stdio: 'ignore' },
    );
    const code = await within(
      20_000,
      once(child, 'exit').then(([code]) => code as number),
    );
    if (code === null) {
      child.kill('SIGKILL');
      this.#options.timeline.violation(`${this.name}: a second agent on its state directory was not refused`);
    } else if (code === 0) {
      this.#options.timeline.violation(`${this.name}: a second agent on its state directory ended with 0`);
    }
    return code ?? -1;
  }

  async #fillDisk(ms: number, at: number): Promise<void> {
    const { timeline } = this.#options;
    const { name: target } = this;
    if (!this.#ownDisk) {
      timeline.add({ target, kind: 'full disk', note: 'left out: needs the right to mount a tmpfs' }, at);
      return;
    }
    const ballast = path.join(this.state, 'ballast');
    const written = fill(ballast);
    const blocked = async (): Promise<boolean> => {
      const status = await this.status();
      return status.state !== 'starting' && 'spool' in status && status.spool.blocked !== null;
    };
    const started = performance.now();
    let noticed = false;
    while (performance.now() - started < ms) {
      noticed ||= await blocked();
      await sleep(100);
    }
    fs.rmSync(ballast, { force: true });
    const recovered = await until(`${target} has room`, UP_MS, async () => !(await blocked()));
    timeline.add(
      {
        target,
        kind: 'full disk',
        note: `${written} bytes of ballast for ${ms} ms${noticed ? ', inputs held' : ', not noticed'}`,
        ...(noticed ? { recovery: { of: 'disk full, then not', ms: recovered } } : {}),
      },
      at,
    );
  }

  /** Flips one bit of one segment, and notes which chunks that destroys; the agent is down. */
  #damage(pick: number): string {
    const spool = path.join(this.state, 'spool');
    const names = fs
      .readdirSync(spool)
      .filter((name) => name.endsWith('.seg') && !this.#damagedSegments.has(name))
      .sort();
    const sizes = names.map((name) => fs.statSync(path.join(spool, name)).size);
    let place = Math.floor(pick * sizes.reduce((sum, size) => sum + size, 0));
    const i = sizes.findIndex((size) => {
      if (place < size) return true;
      place -= size;
      return false;
    });
    const name = names[i];
    if (name === undefined) return 'nothing in the spool to damage';
    this.#damagedSegments.add(name);
    const file = path.join(spool, name);
    const isLast = name === names.at(-1);
    const before = fs.readFileSync(file);
    const after = Buffer.from(before);
    const bit = Math.floor(pick * 1_000_000) & 7;
    after[place] = after[place]! ^ (1 << bit);
    fs.copyFileSync(file, path.join(this.#options.folder, `${name}.${place}.${bit}`));
    fs.writeFileSync(file, after);
    const whole = chunksOf(after, isLast);
    let chunks = 0;
    for (const [id, { bytes, header }] of chunksOf(before, isLast)) {
      if (whole.has(id)) continue;
      chunks++;
      this.destroyedChunks.add(id);
      const text = inflateChunk(bytes, header).toString('latin1');
      for (const [event] of text.matchAll(/@[a-z][a-z0-9-]*:\d+@/g)) this.destroyed.add(event);
    }
    return `bit ${bit} of byte ${place} of ${name}: ${chunks} chunks destroyed`;
  }
}

function chunksOf(bytes: Buffer, isLast: boolean) {
  const { cuts } = recoverSegment(bytes, isLast);
  return new Map(
    cuts.flatMap((cut) =>
      cut.chunks.map(
        ({ header, offset }) =>
          [
            `${header.lane}/${header.sequence}`,
            { header, bytes: bytes.subarray(offset, offset + header.bytes) },
          ] as const,
      ),
    ),
  );
}

/** Writes until there is no room; returns the bytes that went in. */
function fill(file: string): number {
  const fd = fs.openSync(file, 'w');
  const block = Buffer.alloc(64 * 1024);
  let written = 0;
  try {
    for (let size = block.length; size > 0; ) {
      try {
        written += fs.writeSync(fd, block, 0, size);
      } catch {
        size = Math.floor(size / 16);
      }
    }
  } finally {
    fs.closeSync(fd);
  }
  return written;
}

/** A small file system of its own; null when it is there, else why not. */
function mountDisk(directory: string): string | null {
  const args = ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=700`, 'tmpfs', directory];
  const { status, stderr, error } = spawnSync('mount', args);
  return status === 0 ? null : (error?.message ?? stderr.toString().trim());
}

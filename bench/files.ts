/**
 * Measures the tail input over very many logs: how long a first start takes and one that knows them all, and what it
 * costs to watch them while nothing is written. FILES sets their number.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../producer/builder.ts';
import { Counters } from '../producer/counters.ts';
import type { Input } from '../producer/input.ts';
import { type Json, StateMap } from '../producer/state.ts';
import { createTailInput } from '../producer/tail/input.ts';
import { tailOptions } from '../producer/tail/options.ts';
import { NO_METADATA } from '../test/support/metadata-double.ts';
import type { BenchResult } from './run.ts';

const FILES = Number(process.env.FILES ?? 10_000);
const PER_FOLDER = 1000;
const IDLE_MS = 20_000;
const SETTLE_MS = 30_000;

interface FilesResult extends BenchResult {
  readonly files: number;
  readonly startWallSeconds: number;
  readonly restartSeconds: number;
  readonly restartWallSeconds: number;
  readonly drainSeconds: number;
  readonly drainWallSeconds: number;
  readonly stopWallSeconds: number;
  /** Hundredths of a core. */
  readonly idlePercent: number;
}

/** @returns CPU seconds, of the first start as `value`, and seconds by the clock; `bare` and `ratio` say nothing here */
export async function run(): Promise<FilesResult> {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  try {
    for (let i = 0; i < FILES; i++) {
      const within = join(folder, `app${Math.floor(i / PER_FOLDER)}`);
      if (i % PER_FOLDER === 0) mkdirSync(within);
      writeFileSync(join(within, `${i}.log`), `2026-11-23T21:03:16Z the first line of log ${i}\n`);
    }
    const first = new Map<string, Json>();
    const start = await timed(() => started(folder, first));
    const drained = await timed(() => start.result.drain());
    start.result.beforeCut();
    // What has just grown is looked at more often for a while.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const idle = process.cpuUsage(before);
    start.result.beforeCut();
    const stopped = await timed(() => start.result.stop());
    const restart = await timed(() => started(folder, first));
    await restart.result.stop();
    return {
      bench: 'files',
      files: FILES,
      value: round2(start.seconds),
      unit: 'cpu-s',
      bare: 0,
      ratio: 0,
      startWallSeconds: round2(start.wall),
      restartSeconds: round2(restart.seconds),
      restartWallSeconds: round2(restart.wall),
      drainSeconds: round2(drained.seconds),
      drainWallSeconds: round2(drained.wall),
      stopWallSeconds: round2(stopped.wall),
      idlePercent: round2((idle.user + idle.system) / 10 / IDLE_MS),
      rssMiB: Math.round(process.memoryUsage.rss() / 1024 / 1024),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A started input whose state goes into `saved`. */
async function started(folder: string, saved: Map<string, Json>): Promise<Input> {
  const counters = new Counters();
  const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, counters, (builder) => builder.clear());
  const state = new StateMap(saved);
  const set = state.set.bind(state);
  state.set = (key, value) => {
    saved.set(key, JSON.parse(JSON.stringify(value)) as Json);
    set(key, value);
  };
  const options = { type: 'tail', tag: 'bench', format: 'none', path: join(folder, '*', '*.log') };
  const input = createTailInput(z.parse(tailOptions, options), {
    builders: builders.of('bench'),
    state,
    afterDurable: (done) => setImmediate(done),
    log: pino({ level: 'silent' }),
    now: Date.now,
    uptime: () => performance.now(),
    counters,
    metadata: NO_METADATA,
  });
  await input.start();
  return input;
}

interface Timed<T> {
  readonly result: T;
  /** CPU seconds. */
  readonly seconds: number;
  /** Seconds by the clock. */
  readonly wall: number;
}

async function timed<T>(work: () => Promise<T>): Promise<Timed<T>> {
  const before = process.cpuUsage();
  const begin = performance.now();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (user + system) / 1e6, wall: (performance.now() - begin) / 1000 };
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}

/**
 * The writer of the latency bench: nginx lines at a fixed rate by the clock, to a log or as forward events. One line in
 * a hundred, or each at a low rate, says in its path when it was written.
 */
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import { connected } from './forward-connect.ts';
import { STAMP, sharedClock } from './latency-sink.ts';
import { accessLines } from './tail-lines.ts';

const TICK_MS = 5;
/** A forward client writes this often, as one that collects a little. */
const FORWARD_TICK_MS = 50;
const STAMPED_A_SECOND = 1000;

const [kind, target, rate, seconds] = process.argv.slice(2);
const perSecond = Number(rate);
const every = Math.max(1, Math.round(perSecond / STAMPED_A_SECOND));
const lines = accessLines(0, 20_000, Date.now()).trimEnd().split('\n');
let written = 0;

/** The next lines, some of them stamped with this moment. */
function next(count: number): string[] {
  const stamp = `${STAMP}${String(Math.round(sharedClock() * 10)).padStart(16, '0')}`;
  return Array.from({ length: count }, () => {
    const line = lines[written % lines.length]!;
    return written++ % every === 0 ? line.replace('ref=mail', stamp) : line;
  });
}

async function pace(tickMs: number, write: (lines: readonly string[]) => void): Promise<void> {
  const began = performance.now();
  for (;;) {
    const passed = Math.min(performance.now() - began, Number(seconds) * 1000);
    const due = Math.floor((passed * perSecond) / 1000) - written;
    // A tenth of a second's lines at a time, so that a stamp is not older than its line.
    if (due > 0) write(next(Math.min(due, Math.ceil(perSecond / 10))));
    if (passed >= Number(seconds) * 1000 && written >= Math.floor((passed * perSecond) / 1000)) return;
    await sleep(tickMs);
  }
}

async function main(): Promise<void> {
  if (kind === 'tail') {
    const file = openSync(target!, 'a');
    await pace(TICK_MS, (some) => writeSync(file, `${some.join('\n')}\n`));
  } else {
    const socket = await connected(Number(target));
    await pace(FORWARD_TICK_MS, (some) => {
      const at = Math.floor(Date.now() / 1000);
      const entries = Buffer.concat(some.map((log) => encode([at, { log }])));
      socket.write(encode(['bench', entries, { size: some.length }]));
    });
  }
  process.send!(Math.ceil(written / every));
}

await main();
process.on('disconnect', () => process.exit(0));

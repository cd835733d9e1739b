/**
 * Preloaded into processes whose wall clock the harness moves: `Date` goes as FAULTS_PACE says, when it is set, and is off
 * by as many milliseconds as the file says that FAULTS_CLOCK names. Timers and the monotonic clock stay as they are, as
 * when NTP or an operator sets a clock.
 */
import { readFileSync } from 'node:fs';
import { type Pace, paced } from './log-clock.ts';

const file = process.env['FAULTS_CLOCK']!;
const pace = JSON.parse(process.env['FAULTS_PACE'] ?? 'null') as Pace | null;
const RealDate = Date;
let offset = 0;

function look(): void {
  try {
    offset = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offset = 0;
  }
}

function now(): number {
  const time = RealDate.now();
  return (pace === null ? time : paced(pace, time)) + offset;
}

class MovedDate extends RealDate {
  constructor(...args: unknown[]) {
    super(...((args.length === 0 ? [now()] : args) as []));
  }

  static override now(): number {
    return now();
  }
}

look();
setInterval(look, 100).unref();
globalThis.Date = MovedDate as DateConstructor;

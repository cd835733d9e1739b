/**
 * Preloaded into processes whose wall clock the harness moves: `Date` is off by as many milliseconds as the file says that
 * FAULTS_CLOCK names. Timers and the monotonic clock stay as they are, as when NTP or an operator sets a clock.
 */
import { readFileSync } from 'node:fs';

const file = process.env['FAULTS_CLOCK']!;
const RealDate = Date;
let offset = 0;

function look(): void {
  try {
    offset = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offset = 0;
  }
}

class MovedDate extends RealDate {
  constructor(...args: unknown[]) {
    super(...((args.length === 0 ? [RealDate.now() + offset] : args) as []));
  }

  static override now(): number {
    return RealDate.now() + offset;
  }
}

look();
setInterval(look, 100).unref();
globalThis.Date = MovedDate as DateConstructor;

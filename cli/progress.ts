/** How far a command has come, in one line of stderr that is written over; on a terminal only. */
import { count } from './output.ts';

const EVERY_MS = 100;
const TO_LINE_START = '\r';
const ERASE_TO_END = '\u001b[K';

export interface Progress {
  /** Shows `done of total what`, not more often than a person can read. */
  show(done: number, total: number, what: string): void;
  /** Takes the line away. */
  clear(): void;
}

/** @param wanted whether the line can stand there: not when the same terminal shows the command's output line by line */
export function progress(wanted: boolean): Progress | null {
  if (!wanted || !process.stderr.isTTY) return null;
  let shownAt = 0;
  return {
    show(done, total, what) {
      if (done < total && Date.now() - shownAt < EVERY_MS) return;
      shownAt = Date.now();
      process.stderr.write(`${TO_LINE_START}${count(done)} of ${count(total)} ${what}${ERASE_TO_END}`);
    },
    clear() {
      process.stderr.write(TO_LINE_START + ERASE_TO_END);
    },
  };
}

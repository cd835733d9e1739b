/** Shows a command's progress on one line of stderr that is overwritten; on a terminal only. */
import { count } from '../base/human.ts';

const EVERY_MS = 100;
const TO_LINE_START = '\r';
const ERASE_TO_END = '\u001b[K';

export interface Progress {
  /** Shows `done of total what`, no more often than a person can read. */
  show(done: number, total: number, what: string): void;
  /** Clears the line. */
  clear(): void;
}

/** @param wanted false when the command prints its output line by line to the same terminal */
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

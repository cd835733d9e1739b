/** An instance of the simulation that only answers: its flush takes so long and ends with this code, and nothing runs. */
import { SECOND } from './clock.ts';
import type { ManagedInstance } from './systems-manager.ts';

export class StubServer implements ManagedInstance {
  managed = true;
  online = true;
  /** Milliseconds of simulated time that a flush takes; infinite for one that hangs. */
  takes = 20 * SECOND;
  /** Exit code of each run; the last one for all that follow. */
  exits = [0];
  runs = 0;

  duration(): number {
    return this.takes;
  }

  run(): { exit: Promise<number>; kill: () => void } {
    const code = this.exits[Math.min(this.runs, this.exits.length - 1)]!;
    this.runs++;
    return { exit: Promise.resolve(code), kill: () => {} };
  }
}

/** What the watch remembers from pass to pass in one container. Only the order of work, and what a mail says, depend on it. */
import type { Member } from './waits.ts';

interface Remembered {
  readonly member: Member;
  /** Milliseconds since 1970 at which it was first seen in this wait. */
  readonly seen: number;
  /** When its last heartbeat was sent, and when it was last decided for. */
  beatAt: number;
  decidedAt: number;
  /** What was in the way of its flush the last time. */
  cause: string | null;
}

export class WatchMemory {
  readonly #waiting = new Map<string, Remembered>();

  /** Forgets instances that no longer wait, and remembers those that begin to. */
  note(waiting: readonly Member[], now: number): void {
    const instances = new Set(waiting.map(({ instance }) => instance));
    for (const instance of this.#waiting.keys()) {
      if (!instances.has(instance)) this.#waiting.delete(instance);
    }
    for (const member of waiting) {
      const known = this.#waiting.get(member.instance);
      // Another state is another wait.
      if (known?.member.state === member.state) continue;
      this.#waiting.set(member.instance, { member, seen: now, beatAt: 0, decidedAt: 0, cause: null });
    }
  }

  get waiting(): Member[] {
    return [...this.#waiting.values()].map(({ member }) => member);
  }

  seen({ instance }: Member): number {
    return this.#waiting.get(instance)!.seen;
  }

  beat({ instance }: Member, now: number): void {
    this.#waiting.get(instance)!.beatAt = now;
  }

  decided({ instance }: Member, now: number): void {
    this.#waiting.get(instance)!.decidedAt = now;
  }

  hindered({ instance }: Member, cause: string): void {
    this.#waiting.get(instance)!.cause = cause;
  }

  cause({ instance }: Member): string | null {
    return this.#waiting.get(instance)!.cause;
  }

  /** A wait that was completed: a later wait of the instance is another one. */
  forget({ instance }: Member): void {
    this.#waiting.delete(instance);
  }

  /** Those served the longest ago come first: a pass that ran out of time is continued where it stopped. */
  inOrder(by: 'beatAt' | 'decidedAt', begun: ReadonlyMap<string, number>): Member[] {
    const since = ({ member, seen }: Remembered): number => begun.get(member.instance) ?? seen;
    return [...this.#waiting.values()]
      .sort((a, b) => a[by] - b[by] || since(a) - since(b))
      .map(({ member }) => member);
  }
}

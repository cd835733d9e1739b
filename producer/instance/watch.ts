/**
 * The instance watch: polls EC2's metadata for the end of this instance, so that the agent flushes by itself.
 *
 * A lifecycle hook is an order that waits for the flush; a spot notice comes two minutes before the end and no hook
 * delays it; a recommendation to rebalance is only news.
 */
import type { Logger } from 'pino';
import { Metadata } from './metadata.ts';
import type { InstanceOptions } from './options.ts';

/** What the last poll found. */
export interface InstanceState {
  readonly id: string | null;
  /** Auto Scaling's target lifecycle state, such as InService or Terminated; null when it was not told. */
  readonly lifecycle: string | null;
  /** When the spot instance is interrupted, ISO 8601; null without a notice. */
  readonly interruption: string | null;
  readonly rebalance: string | null;
}

/** Why an instance ends. */
export type EndReason = 'lifecycle' | 'spot';

const UNKNOWN: InstanceState = { id: null, lifecycle: null, interruption: null, rebalance: null };
/** The target states of an instance that goes and does not come back, from service or from a warm pool. */
const TERMINATED: ReadonlySet<string | null> = new Set(['Terminated', 'Warmed:Terminated']);
/**
 * Failed questions in a row, of a few polls, after which the service counts as silent: the log says so, or `auto` takes
 * it that there is none where nothing was ever answered.
 */
const SILENT_QUESTIONS = 40;

export class InstanceWatch {
  readonly #options: InstanceOptions;
  readonly #metadata: Metadata;
  readonly #log: Logger;
  readonly #ending: (reason: EndReason) => void;
  #state = UNKNOWN;
  #told = new Set<EndReason>();
  #failures = 0;
  /** Whether the service has answered at all. */
  #answered = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  /** @param ending called once for each reason for which the instance is about to end */
  constructor(options: InstanceOptions, log: Logger, ending: (reason: EndReason) => void) {
    this.#options = options;
    this.#metadata = new Metadata(options.endpoint);
    this.#log = log;
    this.#ending = ending;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Why the instance ends, if it does. */
  get reasons(): EndReason[] {
    return [...this.#told];
  }

  /** Asks for the instance's id and begins to poll; with `watch: auto` only where the service answers. */
  async start(): Promise<void> {
    if (this.#options.watch === 'off') return;
    await this.#askForId();
    this.#again(0);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #again(delay: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(
      () => void this.#poll().finally(() => this.#again(this.#options.interval)),
      delay,
    );
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    const { lifecycle, spot, rebalance } = this.#options;
    if (this.#state.id === null) await this.#askForId();
    // Each for itself and told at once: one that is late or can't be read must not hide another. A notice that was
    // there and can't be read stays.
    if (spot) await this.#look('interruption', 'spot/instance-action', (text) => timeOf(text, 'time'));
    if (lifecycle) await this.#look('lifecycle', 'autoscaling/target-lifecycle-state');
    if (rebalance) {
      const path = 'events/recommendations/rebalance';
      await this.#look('rebalance', path, (text) => timeOf(text, 'noticeTime'));
    }
  }

  async #askForId(): Promise<void> {
    const before = this.#answered;
    await this.#look('id', 'instance-id');
    if (this.#answered && !before) {
      this.#log.info({ instance: this.#state.id }, "the instance's metadata is watched");
    }
  }

  /** Asks for one path and tells what is new. */
  async #look(
    key: keyof InstanceState,
    path: string,
    read: (text: string) => string = (text) => text,
  ): Promise<void> {
    if (this.#stopped) return;
    try {
      const text = await this.#metadata.get(path);
      this.#failures = 0;
      this.#answered = true;
      if (this.#stopped) return;
      const before = this.#state;
      this.#state = { ...before, [key]: text === null ? null : read(text) };
      this.#tell(before);
    } catch (error) {
      // Questions fail now and then, on busy hosts more often; the next one is soon.
      if (++this.#failures === SILENT_QUESTIONS) this.#isSilent(error);
    }
  }

  #isSilent(error: unknown): void {
    if (this.#answered || this.#options.watch === 'on') {
      this.#log.warn({ err: error }, "the instance's metadata does not answer; it is asked on");
      return;
    }
    this.stop();
    this.#log.debug({ err: error }, 'no instance metadata here: nothing is watched');
  }

  #tell(before: InstanceState): void {
    const { id, lifecycle, interruption, rebalance } = this.#state;
    if (rebalance !== null && before.rebalance === null) {
      this.#log.warn({ instance: id, notice: rebalance }, 'EC2 recommends to replace this spot instance');
    }
    if (interruption !== null) this.#end('spot', { instance: id, interruption });
    if (TERMINATED.has(lifecycle)) this.#end('lifecycle', { instance: id, lifecycle });
  }

  #end(reason: EndReason, details: object): void {
    if (this.#told.has(reason)) return;
    this.#told.add(reason);
    this.#log.warn({ reason, ...details }, 'this instance is about to end: everything is sent now');
    this.#ending(reason);
  }
}

/** The time in a notice; a notice that can't be read counts all the same. */
function timeOf(text: string, key: string): string {
  try {
    const value = (JSON.parse(text) as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : 'soon';
  } catch {
    return 'soon';
  }
}

/**
 * The instance watch: polls EC2's metadata for the termination of this instance, so that the agent flushes by itself.
 *
 * A lifecycle hook waits for the flush; a spot notice comes two minutes before the end, and no hook
 * delays it; a rebalance recommendation is only advice.
 */
import type { Logger } from 'pino';
import { Metadata } from './metadata.ts';
import type { InstanceOptions } from './options.ts';

/** What the last poll found. */
export interface InstanceState {
  readonly id: string | null;
  /** Auto Scaling's target lifecycle state, such as InService or Terminated; null when unknown. */
  readonly lifecycle: string | null;
  /** When the spot instance is interrupted, ISO 8601; null without a notice. */
  readonly interruption: string | null;
  readonly rebalance: string | null;
}

/** Why an instance terminates. */
export type EndReason = 'lifecycle' | 'spot';

const UNKNOWN: InstanceState = { id: null, lifecycle: null, interruption: null, rebalance: null };
/** The target states of an instance that leaves for good, from service or from a warm pool. */
const TERMINATED: ReadonlySet<string | null> = new Set(['Terminated', 'Warmed:Terminated']);
/**
 * Consecutive failed requests, over a few polls, after which the service counts as silent: it is logged, or `auto`
 * concludes that there is none if it never responded.
 */
const SILENT_REQUESTS = 40;

export class InstanceWatch {
  readonly #options: InstanceOptions;
  readonly #metadata: Metadata;
  readonly #log: Logger;
  readonly #ending: (reason: EndReason) => void;
  #state = UNKNOWN;
  #reported = new Set<EndReason>();
  #failures = 0;
  /** Whether the service has ever responded. */
  #answered = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  /** @param ending called once for each reason why the instance is about to terminate */
  constructor(options: InstanceOptions, log: Logger, ending: (reason: EndReason) => void) {
    this.#options = options;
    this.#metadata = new Metadata(options.endpoint);
    this.#log = log;
    this.#ending = ending;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Why the instance is about to terminate, if it is. */
  get reasons(): EndReason[] {
    return [...this.#reported];
  }

  /** Fetches the instance id and starts polling; with `watch: auto`, only if the service responds. */
  async start(): Promise<void> {
    if (this.#options.watch === 'off') return;
    await this.#fetchId();
    this.#schedule(0);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #schedule(delay: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(
      () => void this.#poll().finally(() => this.#schedule(this.#options.interval)),
      delay,
    );
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    const { lifecycle, spot, rebalance } = this.#options;
    if (this.#state.id === null) await this.#fetchId();
    // Each on its own and reported immediately: one that is late or unreadable must not hide another. A notice that
    // was seen and becomes unreadable stays.
    if (spot) await this.#fetch('interruption', 'spot/instance-action', (text) => timeOf(text, 'time'));
    if (lifecycle) await this.#fetch('lifecycle', 'autoscaling/target-lifecycle-state');
    if (rebalance) {
      const path = 'events/recommendations/rebalance';
      await this.#fetch('rebalance', path, (text) => timeOf(text, 'noticeTime'));
    }
  }

  async #fetchId(): Promise<void> {
    const before = this.#answered;
    await this.#fetch('id', 'instance-id');
    if (this.#answered && !before) {
      this.#log.info({ instance: this.#state.id }, 'watching the instance metadata');
    }
  }

  /** Fetches one path and reports what is new. */
  async #fetch(
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
      this.#report(before);
    } catch (error) {
      // Requests fail now and then, more often on busy hosts; the next one is soon.
      if (++this.#failures === SILENT_REQUESTS) this.#isSilent(error);
    }
  }

  #isSilent(error: unknown): void {
    if (this.#answered || this.#options.watch === 'on') {
      this.#log.warn({ err: error }, 'the instance metadata service does not respond; polling continues');
      return;
    }
    this.stop();
    this.#log.debug({ err: error }, 'no instance metadata here: not watching');
  }

  #report(before: InstanceState): void {
    const { id, lifecycle, interruption, rebalance } = this.#state;
    if (rebalance !== null && before.rebalance === null) {
      this.#log.warn({ instance: id, notice: rebalance }, 'EC2 recommends replacing this spot instance');
    }
    if (interruption !== null) this.#end('spot', { instance: id, interruption });
    if (TERMINATED.has(lifecycle)) this.#end('lifecycle', { instance: id, lifecycle });
  }

  #end(reason: EndReason, details: object): void {
    if (this.#reported.has(reason)) return;
    this.#reported.add(reason);
    this.#log.warn({ reason, ...details }, 'this instance is about to terminate: sending everything now');
    this.#ending(reason);
  }
}

/** The time in a notice; an unreadable notice still counts. */
function timeOf(text: string, key: string): string {
  try {
    const value = (JSON.parse(text) as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : 'soon';
  } catch {
    return 'soon';
  }
}

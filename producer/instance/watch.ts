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
/** The target state of an instance that goes and does not come back. */
const TERMINATED = 'Terminated';
/** Failed polls in a row after which the log says so. */
const SILENT_POLLS = 12;

export class InstanceWatch {
  readonly #options: InstanceOptions;
  readonly #metadata: Metadata;
  readonly #log: Logger;
  readonly #ending: (reason: EndReason) => void;
  #state = UNKNOWN;
  #told = new Set<EndReason>();
  #failures = 0;
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
    const { watch } = this.#options;
    if (watch === 'off') return;
    try {
      this.#state = { ...this.#state, id: await this.#metadata.get('instance-id') };
      this.#log.info({ instance: this.#state.id }, "the instance's metadata is watched");
    } catch (error) {
      if (watch === 'auto') {
        this.#log.debug({ err: error }, 'no instance metadata here: nothing is watched');
        return;
      }
      this.#log.warn({ err: error }, "the instance's metadata does not answer; it is asked again");
    }
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
    try {
      const id = this.#state.id ?? (await this.#metadata.get('instance-id'));
      const target = lifecycle ? await this.#metadata.get('autoscaling/target-lifecycle-state') : null;
      const action = spot ? await this.#metadata.get('spot/instance-action') : null;
      const advice = rebalance ? await this.#metadata.get('events/recommendations/rebalance') : null;
      this.#failures = 0;
      if (this.#stopped) return;
      const before = this.#state;
      this.#state = {
        id,
        lifecycle: target,
        interruption: action === null ? null : timeOf(action, 'time'),
        rebalance: advice === null ? null : timeOf(advice, 'noticeTime'),
      };
      this.#tell(before);
    } catch (error) {
      // Polls fail now and then, on busy hosts more often; the next one is soon.
      if (++this.#failures === SILENT_POLLS) {
        this.#log.warn({ err: error }, "the instance's metadata does not answer; it is asked on");
      }
    }
  }

  #tell(before: InstanceState): void {
    const { id, lifecycle, interruption, rebalance } = this.#state;
    if (rebalance !== null && before.rebalance === null) {
      this.#log.warn({ instance: id, notice: rebalance }, 'EC2 recommends to replace this spot instance');
    }
    if (interruption !== null) this.#end('spot', { instance: id, interruption });
    if (lifecycle === TERMINATED) this.#end('lifecycle', { instance: id, lifecycle });
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

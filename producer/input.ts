/** What an input of the agent is: a source of events whose progress goes into the same cut as its events. */
import type { Logger } from 'pino';
import type { Builders } from './builder.ts';
import type { Counters } from './counters.ts';
import type { StateMap } from './state.ts';

/**
 * An input hands each read to the builders in one synchronous turn, and moves its own progress in the same turn, so
 * that a seal, which runs between turns, always sees events and progress that agree.
 */
export interface Input {
  /** Stable over restarts and changes of the configuration around it: it names the input's section of the state. */
  readonly name: string;
  /** @throws TailraceError when the input can't begin (a port in use, a path that may not be read) */
  start(): Promise<void>;
  /** Called synchronously at each seal: writes into `context.state` what changed since the last one. */
  beforeCut(): void;
  /** Backpressure: take nothing more until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Resolves when all that could be read at the time of the call has been given to the builders. */
  drain(): Promise<void>;
  /** Closes files and sockets. What was taken and not yet sealed stays in the builders. */
  stop(): Promise<void>;
}

export interface InputContext {
  readonly builders: Builders;
  /** The input's section of the state, as the last durable cut left it. */
  readonly state: StateMap;
  /**
   * Calls `done` once all that was given to builders and state so far is durable. `urgent` asks for a seal within
   * about 100 ms; without it the next regular one serves.
   */
  afterDurable(done: () => void, urgent: boolean): void;
  readonly log: Logger;
  /** Milliseconds since 1970, by a clock that may be set at any time. */
  readonly now: () => number;
  /** Milliseconds of a clock that only goes on: for how long something has been so. */
  readonly uptime: () => number;
  readonly counters: Counters;
}

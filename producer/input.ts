/** The interface of an input: a source of events whose progress goes into the same cut as its events. */
import type { Logger } from 'pino';
import type { TagSource } from './builder.ts';
import type { Counters } from './counters.ts';
import type { Metadata } from './instance/metadata.ts';
import type { StateMap } from './state.ts';

/**
 * An input passes each read to the builders in one synchronous turn and advances its own progress in the same turn, so
 * that a seal, which runs between turns, always sees consistent events and progress.
 */
export interface Input {
  /** Stable across restarts and unrelated configuration changes: it names the input's section of the state. */
  readonly name: string;
  /** @throws TailraceError when the input cannot start (a port in use, a path that may not be read) */
  start(): Promise<void>;
  /** Called synchronously at each seal: writes into `context.state` what changed since the last one. */
  beforeCut(): void;
  /** Backpressure: accept nothing more until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Resolves when everything that could be read at the time of the call is in the builders. */
  drain(): Promise<void>;
  /**
   * All that its source had at this time was given to the builders: milliseconds since 1970, 0 when that is not known
   * yet. Absent where events are taken as they come.
   */
  readonly readUpTo?: number;
  /** What is wrong with what it reads, in a sentence; null when nothing is. */
  readonly trouble?: string | null;
  /** Closes files and sockets. What was read and not yet sealed stays in the builders. */
  stop(): Promise<void>;
}

export interface InputContext {
  readonly builders: TagSource;
  /** The input's section of the state, as the last durable cut left it. */
  readonly state: StateMap;
  /**
   * Calls `done` once everything this input has given to builders and state so far is durable. `urgent` asks for a cut
   * at once; otherwise the next regular one will do.
   */
  afterDurable(done: () => void, urgent: boolean): void;
  readonly log: Logger;
  /** Milliseconds since 1970, from a clock that may be set at any time. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock, to measure how long something has lasted. */
  readonly uptime: () => number;
  /** When the machine was booted, milliseconds since 1970, where it is not this one. */
  readonly booted?: number | undefined;
  readonly counters: Counters;
  /** The instance metadata, for placeholders in added fields. */
  readonly metadata: Pick<Metadata, 'endpoint' | 'get'>;
}

type NamedOptions =
  | { readonly type: 'tail'; readonly id?: string | undefined; readonly path: string | readonly string[] }
  | { readonly type: 'forward'; readonly listen: string | readonly string[] }
  | {
      readonly type: 'journald';
      readonly id?: string | undefined;
      readonly units?: readonly string[] | undefined;
      readonly matches?: readonly string[] | undefined;
    };

/**
 * The name of an input: what it reads, or the id that the configuration gives it. It is the key of the input's state,
 * so another form of it would make every agent read its files from the start.
 */
export function inputName(options: NamedOptions): string {
  if (options.type === 'forward') return `forward:${[options.listen].flat().join(',')}`;
  if (options.type === 'journald') {
    const { id, units = [], matches = [] } = options;
    return `journald:${id ?? [...units, ...matches].join(',')}`;
  }
  return `tail:${options.id ?? [options.path].flat().join(',')}`;
}

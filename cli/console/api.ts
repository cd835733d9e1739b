/** What the console's server tells its page, as JSON; the keys here are those of the JSON. Times are milliseconds since 1970. */
import type { Why } from '../../archive/hours/judge.ts';

/** How much attention something needs. */
export type Level = 'good' | 'note' | 'bad' | 'unknown';

/** One of the three sentences at the top of the page. */
export interface Verdict {
  readonly level: Level;
  readonly text: string;
  /** What the sentence rests on, or what is wrong; the most important first. */
  readonly details: readonly string[];
}

export interface Story {
  /** Is everything well? */
  readonly well: Verdict;
  /** Is it all there? */
  readonly complete: Verdict;
  /** What is behind? */
  readonly behind: Verdict;
}

/** A second's worth. */
export interface Rate {
  readonly events: number;
  readonly bytes: number;
}

export interface ProducerLine {
  readonly producer: string;
  /** Of its status, where that is known. */
  readonly host: string | null;
  readonly version: string | null;
  readonly level: Level;
  /** `ready`, `degraded`, `stopping`, or from the archive: `sending`, `silent`, `stopped`. */
  readonly state: string;
  readonly reasons: readonly string[];
  /** When this run of it began. */
  readonly started: number | null;
  /** When a record of it last arrived at the stream. */
  readonly heard: number | null;
  /** When it sealed its newest watermark. */
  readonly lastCut: number | null;
  /** All that its sources had until then is archived. */
  readonly until: number | null;
  readonly rate: Rate | null;
  readonly spool: { readonly bytes: number; readonly chunks: number; readonly oldestMs: number } | null;
  /** Notes on its instance: its lifecycle state, a notice of its end. */
  readonly instance: string | null;
}

export interface ShardLine {
  readonly shard: string;
  readonly state: string;
  readonly level: Level;
  readonly trouble: string | null;
  /** Bytes and records that came in a second; null where nothing says so. */
  readonly bytes: number | null;
  readonly records: number | null;
  readonly refused: number | null;
  /** The part of what a shard can take that is used, 0 to 1 or more. */
  readonly heat: number | null;
  readonly events: number | null;
  /** Milliseconds that its reader is behind; null where nothing says so. */
  readonly behindMs: number | null;
  /** Bytes that were read and are in no commit yet, and the age of the oldest. */
  readonly pendingBytes: number | null;
  readonly oldestPendingMs: number | null;
  /** Arrival of the newest archived record, and when its commit was written. */
  readonly newest: number | null;
  readonly lastCommit: number | null;
  readonly commits: number | null;
}

/** What flows from a producer to a shard. */
export interface Link {
  readonly producer: string;
  readonly shard: string;
  readonly events: number;
}

export interface ConsumerLine {
  readonly worker: string;
  readonly stream: string;
  readonly version: string | null;
  readonly phase: string;
  readonly faults: readonly string[];
  readonly restarts: number;
  readonly shards: number;
}

export interface TagLine {
  readonly tag: string;
  readonly events: number;
  readonly bytes: number;
}

/** An instance that waits for its termination, or is kept because it could not flush. */
export interface InstanceLine {
  readonly instance: string;
  readonly group: string;
  readonly state: string;
  readonly since: number | null;
}

export interface GroupsView {
  readonly groups: readonly { readonly name: string; readonly size: number; readonly retains: boolean }[];
  readonly waiting: readonly InstanceLine[];
  readonly retained: readonly InstanceLine[];
}

/** Something that the console was given no way to see, or cannot reach, and what to do about it. */
export interface Blind {
  readonly what: string;
  /** What to do, in words or as an option of `tailrace console`. */
  readonly how: string;
}

/** The present. */
export interface Now {
  readonly at: number;
  readonly version: string;
  /** Where the archive is. */
  readonly place: string;
  /** While the archive is read for the first time: how far. */
  readonly reading: { readonly done: number; readonly total: number } | null;
  readonly story: Story;
  readonly producers: readonly ProducerLine[];
  /** Producers beyond those that are listed. */
  readonly moreProducers: number;
  readonly shards: readonly ShardLine[];
  readonly moreShards: number;
  /** Where the rates of shards come from. */
  readonly shardSource: string;
  readonly links: readonly Link[];
  readonly consumers: readonly ConsumerLine[];
  /** What is archived a second, and the newest archived record. */
  readonly archived: Rate | null;
  readonly newest: number | null;
  /** Of the hours that are shown; the busiest first. */
  readonly tags: readonly TagLine[];
  readonly groups: GroupsView | null;
  readonly blind: readonly Blind[];
  /** Calls of S3 since the start, and within the last hour. */
  readonly requests: { readonly total: number; readonly lastHour: number };
}

export interface HourWait {
  readonly producer: string;
  readonly why: Why;
  readonly since: number | null;
  readonly missing: number | null;
}

/** `before`: before the archive's first event; `holed`: open for want of chunks that no longer come by themselves. */
export type HourState = 'before' | 'closed' | 'open' | 'reopened' | 'holed' | 'running';

export interface HourBar {
  /** Whole hours since 1970. */
  readonly hour: number;
  readonly state: HourState;
  readonly events: number;
  readonly bytes: number;
  readonly objects: number;
  /** Chunks that came late. */
  readonly late: number;
  readonly waits: readonly HourWait[];
  readonly moreWaits: number;
  /** Producers that are not waited for. */
  readonly without: number;
}

/** The past: hours, and the last minutes. */
export interface Past {
  readonly at: number;
  readonly hours: readonly HourBar[];
  /** Why the hours do not go further back, where that is not what was asked for. */
  readonly shortened: string | null;
  readonly minutes: {
    /** Beginning of the first minute. */
    readonly from: number;
    /** Archived events by the minute of their arrival, a second. */
    readonly events: readonly (number | null)[];
    /** Seconds from the arrival of a minute's records to their commit, at most. */
    readonly delay: readonly (number | null)[];
  };
}
/** A line of the answer to a search. */
export type SearchLine =
  | { readonly found: { readonly objects: number; readonly bytes: number } }
  | {
      readonly block: {
        readonly tag: string;
        readonly time: number;
        readonly lines: readonly {
          readonly text: string;
          /** Beginning and end of what matched; null for a line around a match. */
          readonly spans: readonly (readonly [number, number])[] | null;
        }[];
      };
    }
  | { readonly progress: { readonly objects: number; readonly bytes: number; readonly back: number } }
  | { readonly fault: { readonly key: string; readonly fault: string } }
  | {
      readonly end: {
        readonly matches: number;
        readonly stopped: string | null;
        readonly back: number | null;
      };
    }
  | { readonly error: string };

/** A line of the answer to a query. */
export type QueryLine =
  | { readonly reading: { readonly objects: number; readonly bytes: number } }
  | { readonly progress: { readonly done: number; readonly total: number; readonly what: string } }
  | { readonly note: string }
  | { readonly columns: readonly { readonly name: string; readonly numeric: boolean }[] }
  | { readonly rows: readonly (readonly (string | null)[])[] }
  | { readonly end: { readonly rows: number; readonly more: boolean; readonly ms: number } }
  | { readonly error: string };

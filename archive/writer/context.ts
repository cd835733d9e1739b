/** Where a shard's commits and objects go, and how they are written. */
import type { ForgetPolicy, HashRange } from '../state.ts';
import type { Encoder } from './encoders.ts';

/** Which log a commit goes to, and how it is written. */
export interface LogContext {
  readonly stream: string;
  readonly incarnation: string;
  readonly shard: string;
  readonly range: HashRange;
  readonly parents: readonly string[];
  /** What stands before every key of the archive, '' or ending in '/'. */
  readonly prefix: string;
  readonly keyTemplate: string;
  readonly forget: ForgetPolicy;
  /** Every so many commits carry a snapshot; the first one and a closing one do, too. */
  readonly snapshotEvery: number;
  /** The version that makes the objects of new commits. */
  readonly encoder: number;
  readonly encoders: ReadonlyMap<number, Encoder>;
}

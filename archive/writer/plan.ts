/** The commit that follows a state of the log when a batch of records is archived, with the bytes of its objects; no I/O. */
import { sha256 } from '../../base/sha256.ts';
import { type Commit, type CommitObject, commitHash, type Watermark } from '../commit.ts';
import { objectKey } from '../commit-keys.ts';
import { Runs } from '../runs.ts';
import type { ShardState } from '../state.ts';
import type { LogContext } from './context.ts';
import { type Decision, decide } from './decision.ts';
import type { Draft } from './drafts.ts';
import type { Assembled, Body, Encoder } from './encoders.ts';
import type { Item } from './record.ts';

export interface Plan {
  readonly commit: Commit;
  /** The objects' bodies by their keys. */
  readonly bodies: ReadonlyMap<string, Body>;
  /** Lines of foreign records that were changed so that every reader takes them. */
  readonly rewritten: number;
}

/** What is planned. */
export interface PlanInput {
  readonly state: ShardState;
  /** In stream order, all records after the newest commit (or of the range that is redone). */
  readonly items: readonly Item[];
  /** Whether the shard ends with them. */
  readonly close: boolean;
  /** The writer's clock, ms. */
  readonly now: number;
}

/** The commit that follows `state` when the next records are `items`. */
export function planCommit(context: LogContext, input: PlanInput): Plan {
  const encoder = context.encoders.get(context.encoder)!;
  const decision = decide(context, encoder, input.state, input.items);
  const source = { ...context, number: input.state.number + 1 };
  const made = [...decision.drafts].map((draft) => {
    const assembled = encoder.assemble(draft, source);
    return { draft, assembled, object: describe(draft, assembled, encoder) };
  });
  const objects = made.map(({ object }) => object);
  const bare = withSnapshot(context, input.state, bareCommit(context, input, encoder, decision, objects));
  const commit = { ...bare, hash: commitHash(bare) };
  const bodies = new Map<string, Body>();
  const named = made.map(({ draft, assembled, object }) => {
    const key = keyOf(context, draft, commit, object, bodies);
    bodies.set(key, assembled.body);
    return { ...object, key };
  });
  const rewritten = made.reduce((sum, { assembled }) => sum + assembled.rewritten, 0);
  return { commit: { ...commit, objects: named }, bodies, rewritten };
}

/** The commit without its hash, its objects' names and a snapshot. */
function bareCommit(
  context: LogContext,
  { state, items, close, now }: PlanInput,
  encoder: Encoder,
  decision: Decision,
  objects: readonly CommitObject[],
): Commit {
  const first = items[0];
  const { stream, incarnation, shard, range, parents } = context;
  return {
    version: encoder.commitVersion,
    hash: '',
    stream,
    incarnation,
    shard,
    range,
    parents,
    number: state.number + 1,
    encoder: context.encoder,
    from: first?.sequence ?? null,
    to: items.at(-1)?.sequence ?? state.to,
    arrival: first ? [first.arrival, decision.lastArrival] : null,
    written: now,
    close,
    records: items.length,
    objects,
    empty: runsText(decision.empty),
    lanes: decision.lanes,
    producers: [...decision.marks.values()],
    ...(decision.watermarks.size === 0 ? {} : { watermarks: inSequence(decision.watermarks) }),
    skipped: decision.skipped,
    unproven: decision.unproven,
    damaged: decision.damaged,
    // rule: a commit says what it voids
    voided: state.voiding.map(({ key, runs }) => ({ key, runs })),
    kept: Object.fromEntries(state.kept),
    snapshot: null,
    snapshot_at: state.snapshotAt,
  };
}

function withSnapshot(context: LogContext, state: ShardState, bare: Commit): Commit {
  const { number, close } = bare;
  const isDue = number === 1 || close || number - state.snapshotAt >= context.snapshotEvery;
  if (!isDue) return bare;
  return { ...bare, snapshot: state.snapshotAfter(bare, context.forget), snapshot_at: number };
}

function describe(
  draft: Draft,
  { body, chunks, events, rawBytes }: Assembled,
  encoder: Encoder,
): CommitObject {
  const { tag, hour, codec, form } = draft;
  const runs = new Map<string, Runs>();
  const laneEvents: Record<string, number> = {};
  for (const { header } of draft.chunks) {
    addSequence(runs, header);
    laneEvents[header.lane] = (laneEvents[header.lane] ?? 0) + header.events;
  }
  return {
    key: '',
    tag,
    hour,
    codec,
    ...(encoder.commitVersion === 1 ? {} : { form, ...timesOf(draft) }),
    bytes: body.reduce((sum, part) => sum + part.length, 0),
    sha256: sha256(body),
    chunks,
    events,
    raw_bytes: rawBytes,
    foreign: draft.records.length,
    runs: runsText(runs),
    lane_events: laneEvents,
  };
}

function timesOf({ chunks, records }: Draft): { first_time: number; last_time: number } {
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const { header } of chunks) {
    first = Math.min(first, header.firstTime);
    last = Math.max(last, header.lastTime);
  }
  for (const { arrival } of records) {
    first = Math.min(first, arrival);
    last = Math.max(last, arrival);
  }
  return { first_time: first, last_time: last };
}

function keyOf(
  context: LogContext,
  draft: Draft,
  commit: Commit,
  object: CommitObject,
  taken: ReadonlyMap<string, Body>,
): string {
  const { prefix, keyTemplate } = context;
  const { incarnation, shard, number, hash, version } = commit;
  const { tag, hour, codec, form, records } = draft;
  const name = { tag, hour, codec, incarnation, shard, number, hash };
  if (version === 1) return objectKey(prefix, keyTemplate, name);
  const part = records.length > 0 ? 'foreign' : form === 'members' ? form : '';
  const counts = { events: object.events, rawBytes: object.raw_bytes };
  for (let n = 0; ; n++) {
    // A template may leave out what tells two objects apart: the second would count as written already.
    const key = objectKey(prefix, keyTemplate, { ...name, part: part + lettersOf(n), counts });
    if (!taken.has(key)) return key;
  }
}

function lettersOf(n: number): string {
  return n === 0 ? '' : [...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
}

function addSequence(
  runsByLane: Map<string, Runs>,
  { lane, sequence }: { readonly lane: string; readonly sequence: number },
): void {
  let runs = runsByLane.get(lane);
  if (!runs) {
    runs = new Runs();
    runsByLane.set(lane, runs);
  }
  runs.add(sequence);
}

function inSequence(watermarks: Decision['watermarks']): Record<string, readonly Watermark[]> {
  return Object.fromEntries(
    [...watermarks].map(([lane, list]) => [lane, list.toSorted(([a], [b]) => a - b)]),
  );
}

function runsText(runsByLane: ReadonlyMap<string, Runs>): Record<string, string> {
  return Object.fromEntries([...runsByLane].map(([lane, runs]) => [lane, runs.toString()]));
}

/** Decides what a commit says about a batch of records, and makes the bytes of its objects; no I/O. */
import { sha256 } from '../../base/sha256.ts';
import type { Codec, FramedHeader } from '../../chunk/header.ts';
import { COMMIT_VERSION, type Commit, type CommitObject, commitHash, type ProducerMark } from '../commit.ts';
import { compareSequence, objectKey } from '../commit-keys.ts';
import { Runs } from '../runs.ts';
import { type ForgetPolicy, type HashRange, inRange, type ShardState } from '../state.ts';
import { type ForeignEncoder, type ForeignSource, foreignTag } from './foreign.ts';
import type { Item } from './record.ts';

const HOUR_MS = 3_600_000;

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
  /** The version that wraps foreign records in new commits. */
  readonly encoder: number;
  readonly encoders: ReadonlyMap<number, ForeignEncoder>;
}

/** An object's content: slices in the order in which they are concatenated. */
export type Body = readonly Buffer[];

export interface Plan {
  readonly commit: Commit;
  readonly bodies: ReadonlyMap<string, Body>;
}

/** An object while it is put together. */
interface Draft {
  readonly tag: string;
  readonly hour: number;
  readonly codec: Codec;
  readonly parts: Buffer[];
  readonly runs: Map<string, Runs>;
  readonly laneEvents: Map<string, number>;
  readonly records: { arrival: number; data: Buffer }[];
  chunks: number;
  events: number;
  rawBytes: number;
}

/**
 * The commit that follows `state` when the next records are `items`.
 *
 * @param items in stream order, all records after the newest commit (or of the range that is gone over again)
 * @param close whether the shard ends with them
 * @param now the writer's clock, ms
 */
export function planCommit(
  context: LogContext,
  state: ShardState,
  items: readonly Item[],
  close: boolean,
  now: number,
): Plan {
  const number = state.number + 1;
  const drafts = new Map<string, Draft>();
  const lanes: Record<string, [string, string]> = {};
  const batchRuns = new Map<string, Runs>();
  const empty = new Map<string, Runs>();
  const marks = new Map<string, ProducerMark>();
  let duplicates = 0;
  let duplicateBytes = 0;
  let unproven = 0;
  let damaged = 0;
  let lastArrival = 0;

  for (const item of items) {
    lastArrival = Math.max(lastArrival, item.arrival);
    for (const { header, bytes } of item.chunks) {
      let runs = batchRuns.get(header.lane);
      if (state.has(header.lane, header.sequence) || runs?.has(header.sequence)) {
        duplicates += 1;
        duplicateBytes += bytes.length;
        continue;
      }
      if (!runs) {
        runs = new Runs();
        batchRuns.set(header.lane, runs);
      }
      if (!isProven(context, state, header, item.arrival)) unproven += 1;
      runs.add(header.sequence);
      const known = state.lanes.get(header.lane);
      lanes[header.lane] = known ? [known.producer, known.epoch] : [header.producer, header.epoch];
      if (header.events > 0 || header.rawBytes > 0) {
        addChunk(draftOf(drafts, header.tag, header.hour, header.codec), header, bytes);
      } else {
        addSequence(empty, header);
      }
      mark(marks, header);
    }
    if (item.foreign && isForeignDue(state.kept, item)) {
      const draft = draftOf(drafts, foreignTag(context.stream), foreignHour(item), 'gzip', 'foreign');
      draft.records.push({ arrival: item.arrival, data: item.foreign });
      if (item.damaged) damaged += 1;
    }
  }

  const first = items[0];
  const last = items.at(-1);
  const source = { ...context, number, encode: context.encoders.get(context.encoder)! };
  const made = [...drafts.values()].map((draft) => {
    const body = bodyOf(draft, source);
    return { draft, body, object: describe(draft, body) };
  });
  const bare: Commit = {
    version: COMMIT_VERSION,
    hash: '',
    stream: context.stream,
    incarnation: context.incarnation,
    shard: context.shard,
    range: context.range,
    parents: context.parents,
    number,
    encoder: context.encoder,
    from: first?.sequence ?? null,
    to: last?.sequence ?? state.to,
    arrival: first ? [first.arrival, lastArrival] : null,
    written: now,
    close,
    records: items.length,
    objects: made.map(({ object }) => object),
    empty: runsText(empty),
    lanes,
    producers: [...marks.values()],
    skipped: { duplicates, bytes: duplicateBytes },
    unproven,
    damaged,
    voided: state.voiding.map(({ key, runs }) => ({ key, runs })),
    kept: Object.fromEntries(state.kept),
    snapshot: null,
    snapshot_at: state.snapshotAt,
  };
  const hasSnapshot = number === 1 || close || number - state.snapshotAt >= context.snapshotEvery;
  const whole = hasSnapshot
    ? { ...bare, snapshot: state.snapshotAfter(bare, context.forget), snapshot_at: number }
    : bare;
  return name(
    context,
    whole,
    made.map(({ body }) => body),
  );
}

/** Gives the commit its hash and, with it, its objects their keys. */
function name(context: LogContext, bare: Commit, made: readonly Body[]): Plan {
  const hash = commitHash(bare);
  const bodies = new Map<string, Body>();
  const objects = bare.objects.map((object, i) => {
    const { tag, hour, codec } = object;
    const { incarnation, shard, number } = bare;
    const key = objectKey(context.prefix, context.keyTemplate, {
      tag,
      hour,
      codec,
      incarnation,
      shard,
      number,
      hash,
    });
    bodies.set(key, made[i]!);
    return { ...object, key };
  });
  return { commit: { ...bare, hash, objects }, bodies };
}

/**
 * The bodies of a commit's objects, made again from the stream by whoever completes it. Bodies that come out with
 * another checksum (because records are missing) are left out, and so are foreign ones of an encoder of a later release.
 *
 * @param items records of the commit's range, in stream order; others are passed over
 */
export function rebuild(
  context: LogContext,
  commit: Commit,
  items: readonly Item[],
): ReadonlyMap<string, Body> {
  const wanted = new Map<string, CommitObject>();
  for (const object of commit.objects) {
    wanted.set(draftKey(object.tag, object.hour, object.codec, kindOf(object)), object);
  }
  const left = new Map<string, Runs>();
  for (const object of commit.objects) {
    for (const [lane, text] of Object.entries(object.runs)) {
      const runs = left.get(lane);
      if (runs) runs.union(Runs.parse(text));
      else left.set(lane, Runs.parse(text));
    }
  }
  const kept = new Map(Object.entries(commit.kept).map(([hour, to]) => [Number(hour), to]));
  const drafts = new Map<string, Draft>();
  for (const item of items) {
    if (!covers(commit, item.sequence)) continue;
    for (const { header, bytes } of item.chunks) {
      const runs = left.get(header.lane);
      if (!runs?.has(header.sequence)) continue;
      runs.removeRange(header.sequence, header.sequence);
      addChunk(draftOf(drafts, header.tag, header.hour, header.codec), header, bytes);
    }
    if (item.foreign && isForeignDue(kept, item)) {
      const draft = draftOf(drafts, foreignTag(context.stream), foreignHour(item), 'gzip', 'foreign');
      draft.records.push({ arrival: item.arrival, data: item.foreign });
    }
  }
  const bodies = new Map<string, Body>();
  for (const [key, draft] of drafts) {
    const object = wanted.get(key);
    if (!object) continue;
    const encode = context.encoders.get(commit.encoder);
    if (!encode && draft.records.length > 0) continue;
    const body = bodyOf(draft, { ...context, number: commit.number, encode: encode! });
    if (sha256(body) === object.sha256) bodies.set(object.key, body);
  }
  return bodies;
}

/** Whether a record with this sequence number is in the commit's range. */
function covers(commit: Commit, sequence: string): boolean {
  return (
    commit.from !== null &&
    commit.to !== null &&
    compareSequence(sequence, commit.from) >= 0 &&
    compareSequence(sequence, commit.to) <= 0
  );
}

type Kind = 'chunks' | 'foreign';

function kindOf(object: CommitObject): Kind {
  return object.foreign > 0 ? 'foreign' : 'chunks';
}

/** Foreign records never share an object with chunks, not even with those of a producer that uses their tag. */
function draftKey(tag: string, hour: number, codec: Codec, kind: Kind): string {
  return `${kind} ${codec} ${hour} ${tag}`;
}

function draftOf(
  drafts: Map<string, Draft>,
  tag: string,
  hour: number,
  codec: Codec,
  kind: Kind = 'chunks',
): Draft {
  const key = draftKey(tag, hour, codec, kind);
  let draft = drafts.get(key);
  if (!draft) {
    draft = {
      tag,
      hour,
      codec,
      parts: [],
      runs: new Map(),
      laneEvents: new Map(),
      records: [],
      chunks: 0,
      events: 0,
      rawBytes: 0,
    };
    drafts.set(key, draft);
  }
  return draft;
}

function addChunk(draft: Draft, header: FramedHeader, bytes: Buffer): void {
  // Some readers refuse zstd's skippable frames; gzip's header cannot be left out and disturbs nobody.
  draft.parts.push(header.codec === 'zstd' ? bytes.subarray(header.headerBytes) : bytes);
  addSequence(draft.runs, header);
  draft.laneEvents.set(header.lane, (draft.laneEvents.get(header.lane) ?? 0) + header.events);
  draft.chunks += 1;
  draft.events += header.events;
  draft.rawBytes += header.rawBytes;
}

function addSequence(runsByLane: Map<string, Runs>, { lane, sequence }: FramedHeader): void {
  let runs = runsByLane.get(lane);
  if (!runs) {
    runs = new Runs();
    runsByLane.set(lane, runs);
  }
  runs.add(sequence);
}

function runsText(runsByLane: ReadonlyMap<string, Runs>): Record<string, string> {
  return Object.fromEntries([...runsByLane].map(([lane, runs]) => [lane, runs.toString()]));
}

function bodyOf(draft: Draft, source: ForeignSource & { readonly encode: ForeignEncoder }): Body {
  if (draft.records.length === 0) return draft.parts;
  const { chunks, rawBytes } = source.encode(source, draft.hour, draft.records);
  draft.rawBytes = rawBytes;
  draft.chunks = chunks.length;
  draft.events = draft.records.length;
  return chunks;
}

function describe(draft: Draft, body: Body): CommitObject {
  return {
    key: '',
    tag: draft.tag,
    hour: draft.hour,
    codec: draft.codec,
    bytes: body.reduce((sum, part) => sum + part.length, 0),
    sha256: sha256(body),
    chunks: draft.chunks,
    events: draft.events,
    raw_bytes: draft.rawBytes,
    foreign: draft.records.length,
    runs: runsText(draft.runs),
    lane_events: Object.fromEntries(draft.laneEvents),
  };
}

/** Whether its lane cannot have been forgotten, so that "not in the runs" means "not archived". */
function isProven(context: LogContext, state: ShardState, header: FramedHeader, arrival: number): boolean {
  if (!inRange(header.lane, context.range)) return false;
  if (state.lanes.has(header.lane)) return true;
  const floor = state.floors.get(header.producer);
  if (floor && header.epoch < floor.epoch) return false;
  return arrival - header.lastTime <= context.forget.horizon;
}

function mark(marks: Map<string, ProducerMark>, header: FramedHeader): void {
  const { producer, epoch, ordinal, floor } = header;
  const key = `${producer}/${epoch}`;
  const old = marks.get(key);
  const isLast = !old || ordinal > old.ordinal;
  marks.set(key, {
    producer,
    epoch,
    ordinal: isLast ? ordinal : old.ordinal,
    floor: old && old.floor > floor ? old.floor : floor,
    previous: old?.previous ?? header.previous,
    end: isLast ? header.end : old.end,
  });
}

function isForeignDue(kept: ReadonlyMap<number, string>, item: Item): boolean {
  const to = kept.get(foreignHour(item));
  return to === undefined || compareSequence(item.sequence, to) > 0;
}

function foreignHour(item: Item): number {
  return Math.floor(item.arrival / HOUR_MS);
}

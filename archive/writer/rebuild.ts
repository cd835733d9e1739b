/** Makes the objects of a commit from the stream once more, for whoever completes it; no I/O. */

import { TailraceError } from '../../base/errors.ts';
import { sha256 } from '../../base/sha256.ts';
import { type Commit, type CommitObject, formOf } from '../commit.ts';
import { compareSequence } from '../commit-keys.ts';
import { Runs } from '../runs.ts';
import type { LogContext } from './context.ts';
import { keepAsBytes } from './decision.ts';
import { type Draft, Drafts } from './drafts.ts';
import type { Body, Encoder } from './encoders.ts';
import type { Item } from './record.ts';

/**
 * The bodies of a commit's objects by their keys. Bodies that come out with another checksum, because records are
 * missing, are left out.
 *
 * @param items records of the commit's range, in stream order; others are passed over
 * @throws TailraceError ENCODER_UNKNOWN when a later release made the commit
 */
export function rebuild(
  context: LogContext,
  commit: Commit,
  items: readonly Item[],
): ReadonlyMap<string, Body> {
  const encoder = encoderOf(context, commit);
  const drafts = sorted(context, encoder, commit, items);
  const bodies = new Map<string, Body>();
  for (const object of commit.objects) {
    const draft = draftOf(drafts, object);
    if (!draft) continue;
    const { body } = encoder.assemble(draft, { ...context, number: commit.number });
    // rule: only what makes the same bytes completes a commit
    if (sha256(body) === object.sha256) bodies.set(object.key, body);
  }
  return bodies;
}

function encoderOf({ encoders, shard }: LogContext, { number, encoder }: Commit): Encoder {
  // rule: what an older release began is completed in its form
  const known = encoders.get(encoder);
  if (known) return known;
  throw new TailraceError(
    'ENCODER_UNKNOWN',
    `commit ${number} of ${shard} lacks data that only a later release can write (encoder ${encoder}): upgrade tailrace`,
  );
}

/** The commit's chunks and foreign records, as they were put into its objects. */
function sorted(context: LogContext, encoder: Encoder, commit: Commit, items: readonly Item[]): Drafts {
  const drafts = new Drafts();
  const left = runsOf(commit);
  const kept = new Map(Object.entries(commit.kept).map(([hour, to]) => [Number(hour), to]));
  for (const item of items) {
    if (!covers(commit, item.sequence)) continue;
    for (const chunk of item.chunks) {
      if (!chunk.hasLines) continue;
      const form = encoder.formOf(chunk);
      if (form === null) {
        keepAsBytes(drafts, context, encoder, item, chunk.bytes, kept);
        continue;
      }
      const { lane, sequence } = chunk.header;
      const runs = left.get(lane);
      if (!runs?.has(sequence)) continue;
      runs.removeRange(sequence, sequence);
      drafts.addChunk(form, chunk);
    }
    if (item.foreign) keepAsBytes(drafts, context, encoder, item, item.foreign, kept);
  }
  return drafts;
}

function runsOf(commit: Commit): Map<string, Runs> {
  const left = new Map<string, Runs>();
  for (const object of commit.objects) {
    for (const [lane, text] of Object.entries(object.runs)) {
      const runs = left.get(lane);
      if (runs) runs.union(Runs.parse(text));
      else left.set(lane, Runs.parse(text));
    }
  }
  return left;
}

function draftOf(drafts: Drafts, object: CommitObject): Draft | undefined {
  const { tag, hour, foreign } = object;
  return drafts.get({ tag, hour, form: formOf(object), isForeign: foreign > 0 });
}

/** Whether a record with this sequence number is in the commit's range. */
function covers({ from, to }: Commit, sequence: string): boolean {
  return (
    from !== null && to !== null && compareSequence(sequence, from) >= 0 && compareSequence(sequence, to) <= 0
  );
}

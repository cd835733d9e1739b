/**
 * The versions of the code that makes a commit's objects out of records. A commit names its version, because whoever completes
 * it must make the same bytes: what an encoder writes is frozen, and a change is a further version next to it.
 */
import { splicedData, trailerCrc } from '../../chunk/soundness.ts';
import type { COMMIT_VERSION, Form } from '../commit.ts';
import { splice } from '../spliced.ts';
import type { Draft } from './drafts.ts';
import { type ForeignSource, foreignPieces, openedPieces, wrapForeign } from './foreign.ts';
import type { StrictLine } from './opened.ts';
import type { ReceivedChunk } from './record.ts';
import { exactlyStrictText, strictNamesText, strictText } from './strict-text.ts';

/** An object's content: slices in the order in which they are concatenated. */
export type Body = readonly Buffer[];

/** What a draft comes to. */
export interface Assembled {
  readonly body: Body;
  readonly chunks: number;
  readonly events: number;
  readonly rawBytes: number;
  /** Lines of foreign records that were changed so that every reader takes them; earlier encoders do not count them. */
  readonly rewritten: number;
}

export interface Encoder {
  /** The version of commits whose objects it makes. */
  readonly commitVersion: 1 | typeof COMMIT_VERSION;
  /** The form of foreign records' objects. */
  readonly foreignForm: Form;
  /** The form of the objects that a chunk goes to; null when it is kept as bytes among the foreign records. */
  formOf(chunk: ReceivedChunk): Form | null;
  assemble(draft: Draft, source: ForeignSource): Assembled;
}

/** Chunks as they came, one behind the other, whatever is in them. */
const VERSION_1: Encoder = {
  commitVersion: 1,
  foreignForm: 'members',
  formOf: ({ header }) => (header.codec === 'gzip' ? 'members' : 'frames'),
  assemble(draft, source) {
    if (draft.records.length === 0) return ofChunks(draft, concatenated(draft));
    const { chunks, rawBytes } = wrapForeign(source, draft.hour, draft.records);
    return { body: chunks, chunks: chunks.length, events: draft.records.length, rawBytes, rewritten: 0 };
  },
};

/** One gzip member an object where the chunks allow it, and only of chunks that decompress to what they say. */
const VERSION_2: Encoder = {
  commitVersion: 2,
  foreignForm: 'member',
  formOf(chunk) {
    // rule: a chunk that is not what it says is kept as bytes
    if (chunk.soundness === 'unsound') return null;
    if (chunk.header.codec === 'zstd') return 'frames';
    // rule: only chunks that can be spliced are
    return chunk.soundness === 'splice' ? 'member' : 'members';
  },
  assemble(draft) {
    if (draft.records.length > 0) {
      const pieces = foreignPieces(draft.records);
      const rawBytes = pieces.reduce((sum, piece) => sum + piece.rawBytes, 0);
      const body = splice(pieces, draft.hour);
      return { body, chunks: pieces.length, events: draft.records.length, rawBytes, rewritten: 0 };
    }
    if (draft.form !== 'member') return ofChunks(draft, concatenated(draft));
    const pieces = draft.chunks.map(({ header, bytes }) => ({
      ...header,
      data: splicedData(bytes, header),
      crc: trailerCrc(bytes, header),
    }));
    return ofChunks(draft, splice(pieces, draft.hour));
  },
};

/** As version 2; foreign records that others compressed or aggregated are opened, and each of their lines is an event. */
const VERSION_3: Encoder = { ...VERSION_2, assemble: opening(strictText) };

/**
 * As version 3, with the limits of readers as they are: integers up to 64 bits stay numbers, 63 levels of nesting. Commits, and all
 * that counts by them, rest on the number of events that a chunk says.
 */
const VERSION_4: Encoder = {
  ...VERSION_2,
  formOf(chunk) {
    // A chunk with another number of lines than it says is kept as bytes. (Earlier releases archive its lines, which is as good
    // to the model of the protocol: spliced.test.ts has this rule.)
    if (chunk.lines !== null && chunk.lines !== chunk.header.events) return null;
    return VERSION_2.formOf(chunk);
  },
  assemble: opening(exactlyStrictText),
};

/** As version 4, without NUL in the names of foreign records' members. */
const VERSION_5: Encoder = { ...VERSION_4, assemble: opening(strictNamesText) };

function opening(strict: StrictLine): Encoder['assemble'] {
  return (draft, source) => {
    if (draft.records.length === 0) return VERSION_2.assemble(draft, source);
    const { pieces, rewritten } = openedPieces(draft.records, strict);
    let events = 0;
    let rawBytes = 0;
    for (const piece of pieces) {
      events += piece.events;
      rawBytes += piece.rawBytes;
    }
    return { body: splice(pieces, draft.hour), chunks: pieces.length, events, rawBytes, rewritten };
  };
}

/** All encoders that this release has, by the version that commits name. */
export const ENCODERS: ReadonlyMap<number, Encoder> = new Map([
  [1, VERSION_1],
  [2, VERSION_2],
  [3, VERSION_3],
  [4, VERSION_4],
  [5, VERSION_5],
]);
/** The version that new commits are written with. */
export const ENCODER = 5;

function ofChunks({ chunks }: Draft, body: Body): Assembled {
  let events = 0;
  let rawBytes = 0;
  for (const { header } of chunks) {
    events += header.events;
    rawBytes += header.rawBytes;
  }
  return { body, chunks: chunks.length, events, rawBytes, rewritten: 0 };
}

function concatenated({ chunks }: Draft): Body {
  // Some readers refuse zstd's skippable frames; gzip's header cannot be left out and disturbs nobody.
  return chunks.map(({ header, bytes }) =>
    header.codec === 'zstd' ? bytes.subarray(header.headerBytes) : bytes,
  );
}

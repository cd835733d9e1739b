/**
 * The spool: a log of consistent cuts in segment files. Chunks go from it to the stream and leave it when acknowledged.
 *
 * ## Invariants
 *
 * 1. A cut is all or nothing. It holds the chunks of one seal and the agent's whole state after them, as one append:
 *    positions in files, ids of forward messages, lane numbers. So events and the progress that covers them become
 *    durable together, and no crash can lose one of them or keep one without the other.
 * 2. Nothing follows from a cut before its fdatasync: no ack to a client, no record to the stream.
 * 3. A cut that was durable is never rewritten, and one that was not leaves no trace: the file is truncated to the end
 *    of the cut before it.
 * 4. A segment is removed only when the stream has acknowledged all its chunks and a later segment holds a durable cut.
 *    The first cut of a segment carries all state, so the newest segment alone is enough to continue.
 * 5. After a failed fdatasync nothing is appended to that file: the kernel may have dropped what it could not write.
 *    The error ends the agent, which recovers from what the disk kept. A full disk is the exception: the cut is taken
 *    out of the file and retried until there is room.
 * 6. Nothing is dropped to make room. A full spool holds the inputs (`full`); a full disk holds the sealer (`append`).
 *
 * ## On disk
 *
 *     spool/000000000001.seg, 000000000002.seg, …      numbers only grow, also over restarts
 *     spool/quarantine/<segment>-<offset>.bin          damaged bytes, for people and for `tailrace flush`
 *
 * A segment is a sequence of records, each with a header that has a magic number, a type, a length and a CRC-32
 * (record.ts). A cut is `state`, its chunks, `end`; state and end carry the same payload, so that no single damaged
 * place destroys it. Then follows `durable`, appended after the sync and not synced itself.
 *
 *     state { cut, full, chunks, sections, acknowledged }   chunk …   end { the same }   durable { cut }
 *
 * `sections` has the keys that changed since the cut before, or all of them (`full`) in the first cut of a segment.
 * `acknowledged` has the addresses of chunks that the stream has acknowledged since the cut before.
 * A segment of `segmentBytes` or more, and three times the state that it begins with, is retired: synced once more, and the next cut begins another one. A chunk's
 * payload is the very record that goes to the stream; its address (segment, offset) stays valid until it is removed.
 *
 * ## Recovery
 *
 * Segments are read in the order of their numbers, and the state is built up cut by cut (load.ts, recovery.ts):
 *
 * - The last cut of the last segment, if it is incomplete and no `durable` follows it, is torn: it was never
 *   acknowledged to anyone. It is cut off, and the inputs read its events once more. What is left is synced before
 *   anything follows from it: its agent may have been killed before the fdatasync.
 * - A place without a sound record anywhere else is damage to durable data. Its bytes go to the quarantine, sound
 *   chunks around it are kept, the state is read from the cut's other copy, and counters, log and `verify` report it.
 *   A flush does not end with 0 as long as the quarantine holds anything.
 * - All chunks that are found are sent, except those that a later cut says are acknowledged. That leaves what was in
 *   flight and what was acknowledged since the last cut: the consumer recognizes them.
 * - Recovery repairs as it reads (truncates, copies to the quarantine), so a second one finds the same and nothing torn.
 *
 * The caller holds the directory's lock. Memory is half a KiB per unacknowledged chunk; bytes stay on the disk.
 */
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import { TailraceError } from '../../base/errors.ts';
import type { FramedHeader } from '../../chunk/header.ts';
import { readChunk } from '../../chunk/reader.ts';
import type { Counters } from '../counters.ts';
import type { Json } from '../state.ts';
import { nodeFiles, type SegmentFile, type SpoolFiles } from './files.ts';
import { type Found, loadSpool } from './load.ts';
import { RECORD_HEADER_BYTES, recordHeader } from './record.ts';
import type { CutState, SectionChanges } from './recovery.ts';
import { apply, merged, type Sections } from './sections.ts';
import { type Segment, type SpooledChunk, segmentName } from './segment.ts';

/** About half a KiB of memory each: 200 MiB for what an outage of a day leaves that is sealed nearly five times a second. */
const MAX_CHUNKS = 400_000;
const FULL_DISK_RETRY_MS = 1000;
/** A segment is at least so many times as long as the state that it begins with. */
const STATES_PER_SEGMENT = 3;

/** Thrown when the disk failed to keep what it had taken: the process must end and recover from the files. */
export class SpoolSyncError extends TailraceError {
  constructor(path: string, cause: unknown) {
    super(
      'SPOOL_SYNC',
      `${path}: fdatasync failed (${(cause as NodeJS.ErrnoException).code}); the agent stops, check the disk`,
      {
        cause,
      },
    );
  }
}

export type { SpooledChunk };

/** A chunk on its way into the spool. */
export interface EncodedChunk {
  readonly header: FramedHeader;
  readonly bytes: Buffer;
}

export interface SpoolOptions {
  readonly directory: string;
  /** Bytes after which a segment is followed by the next one. */
  readonly segmentBytes: number;
  /** Bytes of all segments from which on the inputs are held back. */
  readonly maxBytes: number;
  /** Unacknowledged chunks from which on they are too, because each is held in memory; 400,000 unless given. */
  readonly maxChunks?: number;
  readonly files?: SpoolFiles;
  /** How often a full disk is retried, milliseconds; 1000 unless given. */
  readonly retryMs?: number;
}

export interface SpoolStatus {
  readonly bytes: number;
  readonly segments: number;
  /** Chunks that the stream has not acknowledged, their events and the earliest event time among them. */
  readonly chunks: number;
  readonly quarantined: number;
  readonly blocked: string | null;
}

export class Spool {
  readonly #options: SpoolOptions;
  readonly #files: SpoolFiles;
  readonly #log: Logger;
  readonly #counters: Counters;
  readonly #segments = new Map<number, Segment>();
  readonly #state: Sections;
  readonly #recovered: SpooledChunk[];
  /** Unacknowledged chunks by epoch. */
  readonly #epochs = new Map<string, number>();
  /** Damaged chunks that are in the quarantine, or on their way there. */
  readonly #aside = new WeakSet<SpooledChunk>();
  /** Chunks acknowledged since the last cut, by address: for the next one to say. */
  #acknowledged: [segment: number, offset: number][] = [];
  #active: { readonly segment: Segment; readonly file: SegmentFile } | null = null;
  /** Of the state that the active segment begins with, both copies. */
  #stateBytes = 0;
  #nextSegment: number;
  #nextCut: number;
  #quarantined: number;
  #blocked: string | null = null;
  #closed = false;
  #wake: (() => void) | null = null;
  /** Called when a full disk begins and ceases to hold the spool up. */
  onBlocked: (reason: string | null) => void = () => {};

  private constructor(options: SpoolOptions, log: Logger, counters: Counters, found: Found) {
    this.#options = options;
    this.#files = options.files ?? nodeFiles;
    this.#log = log;
    this.#counters = counters;
    this.#state = found.state;
    this.#recovered = found.chunks;
    this.#nextSegment = found.nextSegment;
    this.#nextCut = found.nextCut;
    this.#quarantined = found.quarantined;
    for (const segment of found.segments) this.#segments.set(segment.number, segment);
    for (const { header } of found.chunks) this.#holdEpoch(header.epoch);
  }

  /**
   * Opens the spool of a directory and recovers what it holds. The caller must hold the directory's lock.
   *
   * @throws TailraceError when the directory cannot be read or written
   */
  static async open(options: SpoolOptions, log: Logger, counters: Counters): Promise<Spool> {
    const files = options.files ?? nodeFiles;
    return new Spool(options, log, counters, await loadSpool(files, options.directory, log, counters));
  }

  /** The chunks that the last run left, in their order; the sender takes them once, at the start. */
  takeRecovered(): SpooledChunk[] {
    return this.#recovered.splice(0);
  }

  /** A section of the state as of the last durable cut. */
  section(name: string): ReadonlyMap<string, Json> {
    return this.#state.get(name) ?? new Map();
  }

  /** The names of all sections, those of former inputs among them. */
  get sections(): readonly string[] {
    return [...this.#state.keys()];
  }

  get bytes(): number {
    let bytes = 0;
    for (const segment of this.#segments.values()) bytes += segment.bytes;
    return bytes;
  }

  get full(): boolean {
    const { maxBytes, maxChunks = MAX_CHUNKS } = this.#options;
    return this.bytes >= maxBytes || this.pending >= maxChunks;
  }

  /** Chunks in the spool that the stream has not acknowledged. */
  get pending(): number {
    let pending = 0;
    for (const segment of this.#segments.values()) pending += segment.pending;
    return pending;
  }

  /** The oldest epoch of which a chunk is unacknowledged; null when none is. */
  get oldestEpoch(): string | null {
    let oldest: string | null = null;
    for (const epoch of this.#epochs.keys()) if (oldest === null || epoch < oldest) oldest = epoch;
    return oldest;
  }

  /** Damaged places that recovery put aside, of this run and earlier ones. */
  get quarantined(): number {
    return this.#quarantined;
  }

  /** Whether the last segment holds nothing but acknowledged chunks, so that a cut of state alone would free it. */
  get reclaimable(): boolean {
    const newest = this.#newest;
    return newest !== null && newest.chunks > 0 && newest.pending === 0;
  }

  status(): SpoolStatus {
    return {
      bytes: this.bytes,
      segments: this.#segments.size,
      chunks: this.pending,
      quarantined: this.#quarantined,
      blocked: this.#blocked,
    };
  }

  /**
   * Appends one cut and makes it durable. Waits as long as the disk is full, or no more files can be opened; cuts are appended one at a time.
   *
   * @param reclaim begin a new segment in any case, so that older ones can go
   * @throws SpoolSyncError when the disk fails; TailraceError SPOOL_CLOSED when closed while the disk was full
   */
  async append(
    chunks: readonly EncodedChunk[],
    changes: SectionChanges,
    reclaim = false,
  ): Promise<SpooledChunk[]> {
    if (reclaim) await this.#retire();
    for (;;) {
      try {
        const spooled = await this.#commit(chunks, changes);
        this.#unblock();
        return spooled;
      } catch (error) {
        if (!isShortage(error)) throw error;
        await this.#waitForRoom(error as NodeJS.ErrnoException);
        await this.#makeRoom();
      }
    }
  }

  /**
   * The bytes of a chunk. One whose bytes are damaged is put aside and counted, and null is returned: it is done
   * with, and is in the quarantine.
   */
  async read(chunk: SpooledChunk): Promise<Buffer | null> {
    if (this.#aside.has(chunk)) return null;
    const { path } = this.#segment(chunk);
    const bytes = await this.#files.readRange(path, chunk.offset, chunk.header.bytes);
    try {
      readChunk(bytes);
      return bytes;
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      // The sender and a spill may read it at once; it is done with once.
      if (this.#aside.has(chunk)) return null;
      this.#aside.add(chunk);
      await this.#putAside(chunk, path, bytes);
      return null;
    }
  }

  async #putAside(chunk: SpooledChunk, path: string, bytes: Buffer): Promise<void> {
    const kept = join(this.#options.directory, 'quarantine', `${basename(path, '.seg')}-${chunk.offset}.bin`);
    try {
      await this.#files.write(kept, bytes);
    } catch (error) {
      this.#aside.delete(chunk);
      throw error;
    }
    this.#quarantined++;
    this.#counters.add('tailrace_agent_spool_damaged_total');
    this.#log.error(
      { segment: path, offset: chunk.offset, kept },
      'a chunk in the spool is damaged and was put aside',
    );
    await this.acknowledge(chunk);
  }

  /** Says that the stream has a chunk; a segment goes when all its chunks are there and a later one has the state. */
  async acknowledge(chunk: SpooledChunk): Promise<void> {
    const segment = this.#segment(chunk);
    segment.pending--;
    const left = this.#epochs.get(chunk.header.epoch)! - 1;
    if (left > 0) this.#epochs.set(chunk.header.epoch, left);
    else this.#epochs.delete(chunk.header.epoch);
    this.#acknowledged.push([chunk.segment, chunk.offset]);
    await this.#removeIfDone(segment);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#retire();
  }

  /** Makes one cut durable, and does what follows from it; none of that can fail for lack of room. */
  async #commit(chunks: readonly EncodedChunk[], changes: SectionChanges): Promise<SpooledChunk[]> {
    const fresh = this.#active === null;
    const cut = this.#nextCut;
    const spooled = await this.#write(cut, chunks, changes);
    this.#nextCut = cut + 1;
    apply(this.#state, changes);
    await this.#mark(cut);
    if (fresh) await this.#reclaim();
    if (this.#active !== null && this.#isLong(this.#active.segment)) await this.#retire();
    return spooled;
  }

  /** The next segment begins with the whole state, which must stay the smaller part of what is written. */
  #isLong({ bytes }: Segment): boolean {
    return bytes >= Math.max(this.#options.segmentBytes, STATES_PER_SEGMENT * this.#stateBytes);
  }

  /**
   * On a full disk the spool's own last segment may be what fills it: once that is all acknowledged, a small segment
   * with the state alone lets go of it.
   */
  async #makeRoom(): Promise<void> {
    const newest = this.#newest;
    if (newest === null || newest.chunks === 0 || newest.pending > 0) return;
    try {
      await this.#retire();
      await this.#commit([], {});
    } catch (error) {
      if (!isShortage(error)) throw error;
    }
  }

  /** The last segment that holds a durable cut, and with it all state. */
  get #newest(): Segment | null {
    let newest: Segment | null = null;
    for (const segment of this.#segments.values()) {
      if (segment.bytes > 0 && (newest === null || segment.number > newest.number)) newest = segment;
    }
    return newest;
  }

  async #write(
    cut: number,
    chunks: readonly EncodedChunk[],
    changes: SectionChanges,
  ): Promise<SpooledChunk[]> {
    const full = this.#active === null;
    const { segment, file } = this.#active ?? (await this.#create());
    const sections = full ? merged(this.#state, changes) : changes;
    // Of segments that are gone, nothing needs to be said.
    const acknowledged = this.#acknowledged.filter(([number]) => this.#segments.has(number));
    this.#acknowledged = acknowledged;
    const said = acknowledged.length;
    const state: CutState = {
      ...{ cut, full, chunks: chunks.length, sections },
      ...(said > 0 ? { acknowledged } : {}),
    };
    const stateBytes = Buffer.from(JSON.stringify(state));

    const parts: Uint8Array[] = [recordHeader('state', stateBytes), stateBytes];
    const spooled: SpooledChunk[] = [];
    const since = Date.now();
    let offset = segment.bytes + RECORD_HEADER_BYTES + stateBytes.length;
    for (const { header, bytes } of chunks) {
      parts.push(recordHeader('chunk', bytes), bytes);
      spooled.push({ header, segment: segment.number, offset: offset + RECORD_HEADER_BYTES, since });
      offset += RECORD_HEADER_BYTES + bytes.length;
    }
    parts.push(recordHeader('end', stateBytes), stateBytes);
    offset += RECORD_HEADER_BYTES + stateBytes.length;

    try {
      await file.append(parts);
      await this.#sync(segment, file);
    } catch (error) {
      await this.#abandon(segment, file);
      throw error;
    }
    // What was acknowledged meanwhile stands behind these.
    this.#acknowledged.splice(0, said);
    if (full) this.#stateBytes = 2 * (RECORD_HEADER_BYTES + stateBytes.length);
    segment.bytes = offset;
    segment.chunks += chunks.length;
    segment.pending += chunks.length;
    for (const { header } of chunks) this.#holdEpoch(header.epoch);
    return spooled;
  }

  async #sync(segment: Segment, file: SegmentFile): Promise<void> {
    try {
      await file.sync();
    } catch (error) {
      if (isShortage(error)) throw error;
      throw new SpoolSyncError(segment.path, error);
    }
  }

  /**
   * Takes an unfinished cut out of the active segment and leaves the segment. After an error of fdatasync the kernel
   * may have dropped what it could not write, so nothing is appended behind it.
   */
  async #abandon(segment: Segment, file: SegmentFile): Promise<void> {
    this.#active = null;
    await file.truncate(segment.bytes);
    await file.close();
    if (segment.bytes === 0) {
      this.#segments.delete(segment.number);
      await this.#files.remove(segment.path);
    } else {
      await this.#removeIfDone(segment);
    }
  }

  async #create(): Promise<{ segment: Segment; file: SegmentFile }> {
    const number = this.#nextSegment++;
    const path = join(this.#options.directory, segmentName(number));
    const file = await this.#files.create(path);
    const segment: Segment = { number, path, bytes: 0, pending: 0, chunks: 0 };
    this.#segments.set(number, segment);
    this.#active = { segment, file };
    return this.#active;
  }

  /** Proof, for a later recovery, that the cut had been durable: damage in it cannot be a torn write. Not synced. */
  async #mark(cut: number): Promise<void> {
    const { segment, file } = this.#active!;
    const payload = Buffer.alloc(8);
    payload.writeBigUInt64LE(BigInt(cut));
    const mark = recordHeader('durable', payload);
    try {
      await file.append([mark, payload]);
      segment.bytes += mark.length + payload.length;
    } catch (error) {
      if (!isShortage(error)) throw error;
      await this.#abandon(segment, file).catch(ignoreShortage);
    }
  }

  /**
   * Closes the active segment: the next cut begins another one. Synced once more, so that a segment that has a
   * successor ends with its last mark and not with a part of it.
   */
  async #retire(): Promise<void> {
    const active = this.#active;
    if (!active) return;
    this.#active = null;
    try {
      await this.#sync(active.segment, active.file);
    } catch (error) {
      // Only the mark behind the last cut was not synced yet, and the next start can do without it.
      if (!isShortage(error)) throw error;
    } finally {
      await active.file.close();
    }
  }

  /** Removes a segment that is all acknowledged; only once a later segment exists, whose first cut has all state. */
  async #removeIfDone(segment: Segment): Promise<void> {
    if (segment.pending > 0 || segment.number >= (this.#newest?.number ?? 0)) return;
    // An acknowledgement and a cut may both come to this at once.
    if (!this.#segments.delete(segment.number)) return;
    await this.#files.remove(segment.path);
  }

  /** A new segment has all state: older ones that are all acknowledged can go. */
  async #reclaim(): Promise<void> {
    for (const segment of [...this.#segments.values()]) {
      await this.#removeIfDone(segment).catch(ignoreShortage);
    }
  }

  async #waitForRoom(error: NodeJS.ErrnoException): Promise<void> {
    if (this.#closed) throw new TailraceError('SPOOL_CLOSED', 'the spool was closed while its disk was full');
    if (this.#blocked === null) {
      const { directory } = this.#options;
      const { code } = error;
      const files = isOutOfFiles(code);
      this.#blocked = files
        ? `no more files can be opened in ${directory} (${code})`
        : `no room in ${directory} (${code})`;
      if (!files) this.#counters.add('tailrace_agent_disk_full_total');
      this.#log.error(
        { directory, code },
        files
          ? 'no more files can be opened: inputs wait until some are closed; raise LimitNOFILE'
          : 'the disk is full: inputs wait until there is room',
      );
      this.onBlocked(this.#blocked);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#options.retryMs ?? FULL_DISK_RETRY_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  #holdEpoch(epoch: string): void {
    this.#epochs.set(epoch, (this.#epochs.get(epoch) ?? 0) + 1);
  }

  #segment(chunk: SpooledChunk): Segment {
    const segment = this.#segments.get(chunk.segment);
    if (!segment)
      throw new TailraceError('SPOOL_GONE', `segment ${chunk.segment} is gone: all of it was acknowledged`);
    return segment;
  }

  #unblock(): void {
    if (this.#blocked === null) return;
    this.#blocked = null;
    this.#log.info({ directory: this.#options.directory }, 'the spool can be written: inputs continue');
    this.onBlocked(null);
  }
}

/** No room on the disk, or no more files to open: it passes, and nothing that was durable is harmed by it. */
function isShortage(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOSPC', 'EDQUOT'].includes(code) || isOutOfFiles(code);
}

/** Whether the system opens no more files, for this process or at all. */
function isOutOfFiles(code: string | undefined): boolean {
  return code === 'EMFILE' || code === 'ENFILE';
}

/** For what follows a durable cut: it must not be repeated because an afterthought of it found no room. */
function ignoreShortage(error: unknown): void {
  if (!isShortage(error)) throw error;
}

/**
 * The ledger: every generation of every log of an input that was read, is being read, or was passed over. A file that
 * is about to be read is looked for here first, by its inode and by its content.
 */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import * as z from 'zod/mini';
import { checkState, type Json, type StateMap } from '../state.ts';
import { begins, fingerprint, NO_PREFIX, prefixOf } from './fingerprint.ts';
import type { Position } from './follower.ts';
import { type FileIdentity, Generation, NO_FILE } from './generation.ts';
import { PrefixIndex } from './prefix-index.ts';
import { birthOf, fileKey } from './source.ts';

const GENERATION = 'gen ';
/** Keys of versions up to 0.1. */
const OPEN_FILE = 'file ';
const CLOSED_FILES = 'log ';
const identifier = z.int().check(z.positive());
/** Milliseconds for which a generation is kept of which no file is left: a volume may be away, a backup come back. */
const FORGET_AFTER = 7 * 24 * 3_600_000;
/** From this many such generations on, milliseconds for which one is kept. */
const FORGET_SOONER_AFTER = 3_600_000;
const MANY = 20_000;
/** So many more before some are forgotten, and milliseconds for which each is kept: a compressor may have it in its hands. */
const SLACK = 2000;
const LEFT_AFTER = 120_000;
/** Closed files of which more is known than a head has, and that are looked into at most. */
const MAX_UNSURE = 16;

export class Ledger {
  readonly #state: StateMap;
  readonly #all = new Map<number, Generation>();
  readonly #byKey = new Map<string, Generation>();
  /** By the inode and birth of the file: a volume comes back with another device number. */
  readonly #byInode = new Map<string, Generation>();
  readonly #byPrefix = new PrefixIndex();
  readonly #logs = new Map<string, number>();
  /** Generations of which nothing was read yet. */
  readonly #headless = new Set<Generation>();
  readonly #gone: string[] = [];
  #next = 1;

  constructor(state: StateMap) {
    this.#state = state;
    for (const [key, value] of state.entries()) {
      if (!key.startsWith(GENERATION)) continue;
      const id = checkState(key, Number(key.slice(GENERATION.length)), identifier);
      this.#next = Math.max(this.#next, id + 1);
      this.#index(Generation.fromJson(key, id, value));
    }
    this.#migrate();
  }

  /** Takes over what an earlier version wrote; its keys leave the state with the next save. */
  #migrate(): void {
    for (const [key, value] of this.#state.entries()) {
      if (key.startsWith(OPEN_FILE)) {
        this.#index(Generation.fromOpenFile(key, this.#next++, key.slice(OPEN_FILE.length), value));
      } else if (key.startsWith(CLOSED_FILES)) {
        const log = key.slice(CLOSED_FILES.length);
        for (const entry of checkState(key, value, z.array(z.json())))
          this.#index(Generation.fromClosedFile(key, this.#next++, log, entry));
      } else continue;
      this.#gone.push(key);
    }
  }

  all(): Iterable<Generation> {
    return this.#all.values();
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether a log of this path was followed before. */
  knows(log: string): boolean {
    return this.#logs.has(log);
  }

  create(log: string, at: string, read?: Position): Generation {
    const generation = new Generation(this.#next++, log, at, read);
    this.#index(generation);
    return generation;
  }

  /**
   * The generation that this very file held when it was last looked at.
   *
   * @param name where it lies now
   */
  inFile(stats: BigIntStats, name: string): Generation | null {
    const known = this.#byKey.get(fileKey(stats));
    if (known) {
      const same = known.file.born === '' || known.file.born === String(stats.birthtimeNs);
      // Where the system does not say when a file was made, its content has to tell.
      if (same || (birthOf(stats) === null && known.read.fingerprint.bytes > 0)) return known;
      // An inode that is open is given to nobody: overlayfs makes a file of an image another birth with its first change.
      if (known.follower?.source.holds(stats)) {
        this.bind(known, identityOf(stats));
        return known;
      }
      // The inode was given to another file.
      this.bind(known, NO_FILE);
    }
    // A volume that is mounted under another device number, not a snapshot that is there as well.
    const moved = this.#byInode.get(inodeKey(fileKey(stats), String(stats.birthtimeNs)));
    if (!moved || birthOf(stats) === null) return null;
    if (moved.names.size > (moved.names.has(name) ? 1 : 0)) return null;
    this.bind(moved, identityOf(stats));
    return moved;
  }

  /** Notes which file holds a generation. */
  bind(generation: Generation, file: FileIdentity): void {
    const { key, born } = generation.file;
    if (key === file.key && born === file.born) return;
    this.#unbind(generation);
    const other = this.#byKey.get(file.key);
    if (file.key !== '' && other && other !== generation) this.bind(other, NO_FILE);
    generation.file = file;
    generation.dirty = true;
    this.#bound(generation);
  }

  /**
   * The generations that a file with this head may hold: those that begin as it does, and of those that are longer
   * than the head the ones that may.
   *
   * @param folder where the file lies: of a few first bytes only the logs of its own folder are looked into
   */
  candidates(head: Buffer, folder: string): { readonly generation: Generation; readonly begins: boolean }[] {
    for (const generation of this.#headless) this.refresh(generation);
    const found: { generation: Generation; begins: boolean }[] = [];
    const hashes = new Map<number, string>();
    const hashOf = (bytes: number): string => {
      let hash = hashes.get(bytes);
      if (hash !== undefined) return hash;
      hash = fingerprint(head, bytes).hash;
      hashes.set(bytes, hash);
      return hash;
    };
    const prefix = prefixOf(head);
    let unsure = 0;
    for (const of of prefix === NO_PREFIX ? [NO_PREFIX] : [NO_PREFIX, prefix]) {
      for (const generation of this.#byPrefix.of(of)) {
        const { bytes, hash } = generation.read.fingerprint;
        if (bytes > head.length) {
          if (of !== prefix) continue;
          const { follower } = generation;
          if (follower ? follower.beginsWith(head) : ++unsure <= MAX_UNSURE)
            found.push({ generation, begins: false });
        } else if (bytes > 0 && hashOf(bytes) === hash) found.push({ generation, begins: true });
      }
    }
    if (prefix === NO_PREFIX) {
      for (const generation of this.#all.values()) {
        if (generation.prefix === NO_PREFIX) continue;
        const { follower, names, at, log } = generation;
        const near = names.size > 0 && (path.dirname(at) === folder || path.dirname(log) === folder);
        if (follower ? follower.beginsWith(head) : near && ++unsure <= MAX_UNSURE)
          found.push({ generation, begins: false });
      }
    }
    for (const each of found) {
      this.refresh(each.generation);
      if (each.begins) each.begins = begins(head, each.generation.read.fingerprint);
    }
    return found;
  }

  /** Brings what the follower of a generation has read into the ledger. */
  refresh(generation: Generation): void {
    const { prefix } = generation;
    generation.update();
    if (generation.read.fingerprint.bytes > 0) this.#headless.delete(generation);
    if (generation.prefix === prefix) return;
    this.#byPrefix.delete(prefix, generation);
    this.#byPrefix.add(generation.prefix, generation);
  }

  /** Writes what changed since the last call into the state. */
  save(): void {
    for (const key of this.#gone.splice(0)) this.#state.delete(key);
    for (const generation of this.#all.values()) {
      this.refresh(generation);
      if (!generation.dirty) continue;
      generation.dirty = false;
      this.#state.set(`${GENERATION}${generation.id}`, generation.toJson());
    }
  }

  forget(generation: Generation): void {
    if (!this.#all.delete(generation.id)) return;
    this.#unbind(generation);
    this.#byPrefix.delete(generation.prefix, generation);
    this.#headless.delete(generation);
    const count = this.#logs.get(generation.log)! - 1;
    if (count > 0) this.#logs.set(generation.log, count);
    else this.#logs.delete(generation.log);
    this.#gone.push(`${GENERATION}${generation.id}`);
  }

  /**
   * Forgets generations of which no file has been there for long; and of many that logs have left behind which are there
   * themselves, so that no volume is away, the ones that left first.
   *
   * @param now milliseconds of a monotonic clock: one that is set would turn moments into hours
   */
  prune(now: number): void {
    const unseen: Generation[] = [];
    const present = new Set<string>();
    for (const generation of this.#all.values()) {
      const { names, log } = generation;
      if (names.has(log)) present.add(log);
      if (names.size > 0 || generation.follower !== null) generation.unseenSince = null;
      else {
        generation.unseenSince ??= now;
        unseen.push(generation);
      }
    }
    const after = unseen.length > MANY ? FORGET_SOONER_AFTER : FORGET_AFTER;
    for (const generation of unseen) if (now - generation.unseenSince! > after) this.forget(generation);
    if (unseen.length <= MANY + SLACK) return;
    const left = unseen.filter(
      ({ log, ended, unseenSince }) => ended && present.has(log) && now - unseenSince! > LEFT_AFTER,
    );
    left.sort((a, b) => a.unseenSince! - b.unseenSince!);
    for (const generation of left.slice(0, unseen.length - MANY)) this.forget(generation);
  }

  #index(generation: Generation): void {
    this.#all.set(generation.id, generation);
    this.#logs.set(generation.log, (this.#logs.get(generation.log) ?? 0) + 1);
    const other = this.#byKey.get(generation.key);
    // What an earlier version wrote may name one inode twice: the open file has it.
    if (other && generation.key !== '') generation.file = NO_FILE;
    this.#bound(generation);
    this.#byPrefix.add(generation.prefix, generation);
    if (generation.read.fingerprint.bytes === 0) this.#headless.add(generation);
  }

  #bound(generation: Generation): void {
    const { key, born } = generation.file;
    if (key === '') return;
    this.#byKey.set(key, generation);
    if (born !== '') this.#byInode.set(inodeKey(key, born), generation);
  }

  #unbind(generation: Generation): void {
    const { key, born } = generation.file;
    if (this.#byKey.get(key) === generation) this.#byKey.delete(key);
    const inode = inodeKey(key, born);
    if (this.#byInode.get(inode) === generation) this.#byInode.delete(inode);
  }
}

/** The log that an entry of the state is about, in whatever form; null when it is about none. */
export function logOfEntry(key: string, value: Json): string | null {
  if (key.startsWith(CLOSED_FILES)) return key.slice(CLOSED_FILES.length);
  if (key.startsWith(GENERATION)) return checkState(key, value, z.tuple([z.string()], z.json()))[0];
  return key.startsWith(OPEN_FILE) ? checkState(key, value, z.object({ path: z.string() })).path : null;
}

/** Puts entries of other inputs' states into this one. */
export function adoptEntries(state: StateMap, entries: Iterable<readonly [string, Json]>): void {
  const ids = [...state.entries()].map(([key]) =>
    key.startsWith(GENERATION) ? Number(key.slice(GENERATION.length)) : 0,
  );
  let id = ids.reduce((last, each) => Math.max(last, each), 0);
  for (const [key, value] of entries)
    if (value !== null) state.set(key.startsWith(GENERATION) ? `${GENERATION}${++id}` : key, value);
}

/** Which file this is. */
export function identityOf(stats: BigIntStats): FileIdentity {
  return { key: fileKey(stats), born: String(stats.birthtimeNs) };
}

function inodeKey(key: string, born: string): string {
  return `${key.slice(key.indexOf(':') + 1)} ${born}`;
}

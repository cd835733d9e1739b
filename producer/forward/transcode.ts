/**
 * Writes runs of plain entries as lines by WebAssembly (transcode.as), which reads sixteen bytes at once. Everything that
 * is not plain is left to JsonWriter; both write the same bytes.
 */
import { startWasm } from '../../base/webassembly.ts';
import type { WatchedKeys } from './keys.ts';
import { WASM } from './transcode-wasm.ts';

/** Where things are in the memory that the module works on. */
const WATCHED = 16 * 1024;
const MAX_WATCHED = 256;
const ADDED = 20 * 1024;
const MAX_ADDED_BYTES = 8 * 1024;
const INPUT = 32 * 1024;
const INPUT_BYTES = 128 * 1024;
const OUTPUT = INPUT + INPUT_BYTES + 4096;
const OUTPUT_BYTES = 512 * 1024;
const PAGES = Math.ceil((OUTPUT + OUTPUT_BYTES + 4096) / 65_536);
/** A window with less than this left is moved on. */
const LEAST_BYTES = 16 * 1024;
/** Keys that only the other way knows how to write. */
const TIMES = ['time', '_time'];

interface Global {
  readonly value: number;
}

interface Exports {
  run(...args: number[]): void;
  signature(at: number, length: number): bigint;
  readonly consumed: Global;
  readonly produced: Global;
  readonly count: Global;
  readonly firstTime: Global;
  readonly lastTime: Global;
}

/** What the lines of a destination are written with. */
export interface LineRules {
  readonly watched: WatchedKeys;
  readonly added: Buffer;
}

export class Transcoder {
  readonly #memory: Uint8Array;
  readonly #exports: Exports;
  #rules: LineRules | null = null;
  #watched = 0;
  #addedBytes = 0;
  /** The part of the message that is in the memory. */
  #source: Uint8Array | null = null;
  #start = 0;
  #end = 0;
  /** What the last run did: lines, where they end in the message, and their first and last time in milliseconds. */
  count = 0;
  next = 0;
  firstTime = 0;
  lastTime = 0;
  #produced = 0;

  private constructor(memory: ArrayBuffer, exports: Exports) {
    this.#memory = new Uint8Array(memory);
    this.#exports = exports;
  }

  /** Null on a Node without WebAssembly (`--jitless`) or a processor without its vectors. */
  static create(): Transcoder | null {
    const wasm = startWasm<Exports>(WASM, { initial: PAGES, maximum: PAGES });
    return wasm && new Transcoder(wasm.memory.buffer, wasm.exports);
  }

  /** Whether lines of these rules can be written here; prepares for them if so. */
  prepare(rules: LineRules): boolean {
    if (rules === this.#rules) return true;
    const keys = [...new Set([...TIMES, ...rules.watched.keys])];
    if (keys.length > MAX_WATCHED || rules.added.length > MAX_ADDED_BYTES) return false;
    const signatures = new BigUint64Array(this.#memory.buffer, WATCHED, MAX_WATCHED);
    for (const [i, key] of keys.entries()) {
      const bytes = Buffer.from(key);
      if (bytes.length + 16 > INPUT_BYTES) return false;
      this.#memory.fill(0, INPUT, INPUT + 16);
      this.#memory.set(bytes, INPUT);
      signatures[i] = this.#exports.signature(INPUT, bytes.length);
    }
    this.#memory.set(rules.added, ADDED);
    this.#memory.set([0x7d, 0x0a], ADDED + rules.added.length);
    this.#addedBytes = rules.added.length + 2;
    this.#watched = keys.length;
    this.#rules = rules;
    this.#source = null;
    return true;
  }

  /** Forgets the message: its buffer may be another one's next. */
  release(): void {
    this.#source = null;
  }

  /**
   * Writes the lines of entries from `at` on, up to the first that is not plain.
   *
   * @param from,to the seconds that they may have: `to` is the first they may not
   * @returns whether there are any
   */
  run(bytes: Buffer, at: number, end: number, from: number, to: number): boolean {
    const left = this.#end - at;
    const inWindow = this.#source === bytes && at >= this.#start && left > 0;
    if (!inWindow || (left < LEAST_BYTES && this.#end < end)) this.#load(bytes, at, end);
    this.#transcode(at, from, to);
    return this.count > 0;
  }

  /** Copies the lines of the last run. */
  copy(target: Buffer, at: number): number {
    target.set(this.#memory.subarray(OUTPUT, OUTPUT + this.#produced), at);
    return at + this.#produced;
  }

  /** Bytes of the lines of the last run. */
  get bytes(): number {
    return this.#produced;
  }

  #load(bytes: Buffer, at: number, end: number): void {
    this.#source = bytes;
    this.#start = at;
    this.#end = Math.min(end, at + INPUT_BYTES);
    this.#memory.set(bytes.subarray(at, this.#end), INPUT);
  }

  #transcode(at: number, from: number, to: number): void {
    const exports = this.#exports;
    const shift = INPUT - this.#start;
    exports.run(
      at + shift,
      this.#end + shift,
      OUTPUT,
      OUTPUT + OUTPUT_BYTES,
      from,
      to,
      ADDED,
      this.#addedBytes,
      WATCHED,
      this.#watched,
    );
    this.count = exports.count.value;
    this.next = exports.consumed.value - shift;
    this.#produced = exports.produced.value - OUTPUT;
    this.firstTime = exports.firstTime.value;
    this.lastTime = exports.lastTime.value;
  }
}

/**
 * What deflate data between two blocks comes to, by WebAssembly (inflate.as) in one small memory: no more of the output is
 * kept than deflate itself needs, where zlib makes a buffer of all of it, which is garbage at once.
 */
import { crc32 } from 'node:zlib';
import { startWasm, type WasmMemory } from '../base/webassembly.ts';
import { WASM } from './inflate-wasm.ts';

/** Where things are in the memory that the module works on. */
const OUTPUT = 64 * 1024;
/** As far back as deflate refers. */
const WINDOW = 32 * 1024;
const PIECE = 64 * 1024;
/** Room for the longest match, written in whole vectors, and three pairs of literals. */
const OVERRUN = 1024;
const LIMIT = OUTPUT + WINDOW + PIECE;
const INPUT = LIMIT + OVERRUN;
const PADDING = 32;
const PAGE = 64 * 1024;
/** The largest record of a stream: larger data is left to zlib. */
const MAX_INPUT = 10 * 1024 * 1024;
const FULL = 1;
const REFUSED = 2;

/** What data decompresses to. */
export interface Inflated {
  readonly bytes: number;
  readonly crc: number;
  /** The last byte; -1 when there is none. */
  readonly last: number;
  /** Newlines. */
  readonly lines: number;
}

interface Exports {
  begin(from: number, to: number, first: number, last: number): void;
  run(): number;
  taken(kept: number): void;
  newlines(from: number, to: number): number;
  readonly out: { readonly value: number };
}

export class Inflater {
  readonly #memory: WasmMemory;
  readonly #exports: Exports;
  #bytes: Uint8Array;

  private constructor(memory: WasmMemory, exports: Exports) {
    this.#memory = memory;
    this.#exports = exports;
    this.#bytes = new Uint8Array(memory.buffer);
  }

  /** Null on a Node without WebAssembly (`--jitless`) or a processor without its vectors. */
  static create(): Inflater | null {
    const pages = { initial: pagesFor(PAGE), maximum: pagesFor(MAX_INPUT) };
    const wasm = startWasm<Exports>(WASM, pages);
    return wasm && new Inflater(wasm.memory, wasm.exports);
  }

  /**
   * Decompresses data that ends between two blocks at a whole byte, none of which is the final one.
   *
   * @param most bytes that it may come to
   * @returns null when it is anything else, comes to more, or zlib has to be asked
   */
  inflate(data: Uint8Array, most: number): Inflated | null {
    if (data.length > MAX_INPUT) return null;
    this.#load(data);
    const exports = this.#exports;
    const memory = this.#bytes;
    exports.begin(INPUT, INPUT + data.length, OUTPUT, LIMIT);
    let from = OUTPUT;
    let bytes = 0;
    let crc = 0;
    let lines = 0;
    for (;;) {
      const result = exports.run();
      const to = exports.out.value;
      bytes += to - from;
      if (result === REFUSED || bytes > most) return null;
      crc = crc32(memory.subarray(from, to), crc);
      lines += exports.newlines(from, to);
      if (result !== FULL) return { bytes, crc, last: bytes === 0 ? -1 : memory[to - 1]!, lines };
      exports.taken(WINDOW);
      from = OUTPUT + WINDOW;
    }
  }

  /** How many newlines there are. */
  newlines(data: Uint8Array): number {
    let lines = 0;
    for (let at = 0; at < data.length; at += PIECE) {
      const piece = data.subarray(at, at + PIECE);
      this.#bytes.set(piece, OUTPUT);
      lines += this.#exports.newlines(OUTPUT, OUTPUT + piece.length);
    }
    return lines;
  }

  #load(data: Uint8Array): void {
    const missing = pagesFor(data.length) - this.#bytes.length / PAGE;
    if (missing > 0) {
      this.#memory.grow(missing);
      this.#bytes = new Uint8Array(this.#memory.buffer);
    }
    this.#bytes.set(data, INPUT);
    this.#bytes.fill(0, INPUT + data.length, INPUT + data.length + PADDING);
  }
}

function pagesFor(input: number): number {
  return Math.ceil((INPUT + input + PADDING) / PAGE);
}

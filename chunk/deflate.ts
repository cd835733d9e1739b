/**
 * Compresses to deflate data that ends between two blocks at a whole byte, by WebAssembly (deflate.as): smaller than zlib's
 * first levels do, in less time. What it writes is read back at once, by code of its own, so that none leaves which does not
 * decompress to its input.
 */
import { startWasm, type WasmMemory } from '../base/webassembly.ts';
import { WASM } from './deflate-wasm.ts';

/** Where things are in the memory that the module works on. The input lies at a whole number of these. */
const SPAN = 64 * 1024;
const INPUT = 4 * SPAN;
/** Input that is there at a time, as far back as deflate refers included. */
const INPUT_BYTES = 5 * SPAN;
/** The module reads whole vectors. */
const PADDING = 32;
const OUTPUT = INPUT + INPUT_BYTES + PADDING;
/** At worst blocks are stored: what is in them, five bytes for every 65,535, and the end. */
const OUTPUT_BYTES = INPUT_BYTES + 1024;
const PAGE = 64 * 1024;
const PAGES = Math.ceil((OUTPUT + OUTPUT_BYTES) / PAGE);

interface Exports {
  begin(from: number): void;
  run(end: number, to: number, isAll: boolean): number;
  readonly out: { readonly value: number };
  readonly moved: { readonly value: number };
}

export class Deflater {
  readonly #bytes: Uint8Array;
  readonly #exports: Exports;

  private constructor(memory: WasmMemory, exports: Exports) {
    this.#bytes = new Uint8Array(memory.buffer);
    this.#exports = exports;
  }

  /**
   * Null on a Node without WebAssembly (`--jitless`) or a processor without its vectors.
   *
   * @param wasm the module, in base64
   */
  static create(wasm = WASM): Deflater | null {
    const started = startWasm<Exports>(wasm, { initial: PAGES, maximum: PAGES });
    return started && new Deflater(started.memory, started.exports);
  }

  /**
   * The parts of the deflate data, which ends as a sync flush does; null when it does not decompress to the input.
   *
   * @param raw of any length
   */
  deflate(raw: Uint8Array): Buffer[] | null {
    const memory = this.#bytes;
    const exports = this.#exports;
    const parts: Buffer[] = [];
    let held = 0;
    exports.begin(INPUT);
    for (let at = 0; ; ) {
      const piece = raw.subarray(at, at + INPUT_BYTES - held);
      memory.set(piece, INPUT + held);
      at += piece.length;
      held += piece.length;
      const isAll = at === raw.length;
      if (exports.run(INPUT + held, OUTPUT, isAll) === 0) return null;
      parts.push(Buffer.from(memory.subarray(OUTPUT, exports.out.value)));
      if (isAll) return parts;
      held -= exports.moved.value;
    }
  }
}

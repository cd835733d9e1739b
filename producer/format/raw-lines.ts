/**
 * Writes whole lines as `{"message": …}` by WebAssembly (raw-lines.as), which reads sixteen bytes at once, out of a buffer
 * in its own memory that logs are read into. What it does not take is left to writeMessage; both write the same bytes.
 */
import { startWasm } from '../../base/webassembly.ts';
import { WASM } from './raw-lines-wasm.ts';

/** Where things are in the memory that the module works on. */
const HEAD = 1024;
const TAIL = 2048;
const MAX_TAIL_BYTES = 8 * 1024;
const OUTPUT = 16 * 1024;
/** Small enough to stay in the processor's cache until it is copied. */
const OUTPUT_BYTES = 64 * 1024;
/** Whole vectors are read and written beyond the end of what is asked for. */
const SLACK = 64;
const INPUT = OUTPUT + OUTPUT_BYTES + SLACK;
/** The largest buffer; what nobody reads into takes no memory. */
const INPUT_BYTES = 1024 * 1024;
const PAGES = Math.ceil((INPUT + INPUT_BYTES + SLACK) / 65_536);

interface Global {
  readonly value: number;
}

interface Exports {
  run(...args: number[]): void;
  readonly consumed: Global;
  readonly produced: Global;
  readonly count: Global;
}

/** What stands before and behind each line. */
export interface Frame {
  readonly head: Buffer;
  readonly tail: Buffer;
}

export class RawLines {
  static #shared: RawLines | null | undefined;
  readonly #memory: Buffer;
  readonly #exports: Exports;
  #frame: Frame | null = null;
  /** What the last run did: lines, and where the first one begins that it did not take. */
  count = 0;
  next = 0;
  #produced = 0;

  private constructor(memory: ArrayBuffer, exports: Exports) {
    this.#memory = Buffer.from(memory);
    this.#exports = exports;
  }

  /** The one of this process; null on a Node without WebAssembly (`--jitless`) or a processor without its vectors. */
  static shared(): RawLines | null {
    RawLines.#shared ??= RawLines.#create();
    return RawLines.#shared;
  }

  static #create(): RawLines | null {
    const wasm = startWasm<Exports>(WASM, { initial: PAGES, maximum: PAGES });
    return wasm && new RawLines(wasm.memory.buffer, wasm.exports);
  }

  /** A buffer whose lines {@link run} can take, for whoever fills it and is done with it in one turn: all share its bytes. */
  static buffer(bytes: number): Buffer {
    const shared = bytes <= INPUT_BYTES ? RawLines.shared() : null;
    return shared === null ? Buffer.allocUnsafeSlow(bytes) : shared.#memory.subarray(INPUT, INPUT + bytes);
  }

  /** Whether it can write lines of this buffer, with this around them. */
  takes(bytes: Buffer, { head, tail }: Frame): boolean {
    return (
      bytes.buffer === this.#memory.buffer && head.length <= TAIL - HEAD && tail.length <= MAX_TAIL_BYTES
    );
  }

  /**
   * Writes the lines of `bytes[at, end)`, which ends with a line break, up to the first that is not plain.
   *
   * @param enough bytes of output after which no further line is begun
   * @param longest bytes of the longest line, without its line break
   * @returns whether there are any
   */
  run(bytes: Buffer, at: number, end: number, enough: number, longest: number, frame: Frame): boolean {
    this.#prepare(frame);
    const shift = bytes.byteOffset;
    const { run, consumed, produced, count } = this.#exports;
    const full = OUTPUT + Math.min(Math.max(enough, 1), OUTPUT_BYTES);
    run(
      ...[at + shift, end + shift, OUTPUT, OUTPUT + OUTPUT_BYTES, full, longest],
      ...[HEAD, frame.head.length, TAIL, frame.tail.length],
    );
    this.count = count.value;
    this.next = consumed.value - shift;
    this.#produced = produced.value - OUTPUT;
    return this.count > 0;
  }

  /** Bytes of the lines of the last run. */
  get bytes(): number {
    return this.#produced;
  }

  /** Copies the lines of the last run. */
  copy(target: Buffer, at: number): void {
    this.#memory.copy(target, at, OUTPUT, OUTPUT + this.#produced);
  }

  #prepare(frame: Frame): void {
    if (frame === this.#frame) return;
    this.#memory.set(frame.head, HEAD);
    this.#memory.set(frame.tail, TAIL);
    this.#frame = frame;
  }
}

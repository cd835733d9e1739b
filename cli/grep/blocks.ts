/** Matching lines with the lines around them: matches whose surroundings touch are one block. */

export interface BlockLine {
  readonly text: string;
  readonly isMatch: boolean;
}

export interface FoundBlock {
  /** Of its last match, milliseconds since 1970. */
  readonly time: number;
  readonly matches: number;
  readonly lines: readonly BlockLine[];
}

/** A block with its last matches alone: as many as are wanted, and the lines around them. */
export function lastMatches(block: FoundBlock, most: number, context: number): FoundBlock {
  if (block.matches <= most) return block;
  const at = block.lines.flatMap(({ isMatch }, i) => (isMatch ? [i] : [])).at(-most)!;
  const lines = block.lines.slice(Math.max(0, at - context));
  const before = block.lines.length - lines.length;
  return {
    ...block,
    matches: most,
    lines: lines.map((line, i) => (before + i < at ? { ...line, isMatch: false } : line)),
  };
}

/** Makes blocks of lines that come one after another. */
export class BlockBuilder {
  readonly #context: number;
  readonly #done: FoundBlock[] = [];
  /** The lines before the next one, at most as many as a block begins with. */
  #before: string[] = [];
  #block: { time: number; matches: number; lines: BlockLine[] } | null = null;
  /** How many lines still belong to the block if no further match comes. */
  #wanted = 0;

  constructor(context: number) {
    this.#context = context;
  }

  /** @param time of a line that matches; null for one that does not */
  add(text: string, time: number | null): void {
    if (time !== null) {
      this.#block ??= {
        time,
        matches: 0,
        lines: this.#before.map((line) => ({ text: line, isMatch: false })),
      };
      this.#before = [];
      this.#block.lines.push({ text, isMatch: true });
      this.#block.time = Math.max(this.#block.time, time);
      this.#block.matches += 1;
      this.#wanted = this.#context;
      if (this.#context === 0) this.#finish();
      return;
    }
    if (this.#wanted > 0) {
      this.#block!.lines.push({ text, isMatch: false });
      this.#wanted -= 1;
      if (this.#wanted > 0) return;
      this.#finish();
      return;
    }
    if (this.#context === 0) return;
    this.#before.push(text);
    if (this.#before.length > this.#context) this.#before.shift();
  }

  /** Whole lines of which none matches. */
  addOthers(lines: readonly string[]): void {
    const { length } = lines;
    const most = 2 * this.#context;
    for (const line of length <= most ? lines : lines.slice(0, this.#context)) this.add(line, null);
    if (length > most) for (const line of lines.slice(-this.#context)) this.add(line, null);
  }

  /** The blocks; what is added later is not next to what was added before. */
  end(): FoundBlock[] {
    if (this.#block) this.#finish();
    this.#before = [];
    return this.#done.splice(0);
  }

  #finish(): void {
    this.#done.push(this.#block!);
    this.#block = null;
    this.#wanted = 0;
  }
}

/** Gives out what comes object by object, in no order within one, newest first over all. */
export class NewestFirst<T extends { readonly time: number }> {
  #waiting: T[] = [];

  /** @param values of the same time, a later one is the newer */
  add(values: readonly T[]): void {
    this.#waiting = this.#waiting.concat(values.toReversed());
  }

  /** @param latest no value that comes later is newer than this */
  take(latest: number): T[] {
    this.#waiting.sort((a, b) => b.time - a.time);
    const older = this.#waiting.findIndex(({ time }) => time < latest);
    return this.#waiting.splice(0, older < 0 ? this.#waiting.length : older);
  }
}

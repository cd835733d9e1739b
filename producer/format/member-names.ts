/** Finds names that come twice in one object of a JSON line, on bytes, and what to call them instead. */

import { REPLACEMENT_TEXT } from '../../base/nul-escapes.ts';

const SLOTS = 256;
/** Larger objects keep their names in a set. */
const MOST_NAMES = 128;

/** The names of one object at a time; those of an object inside it are kept apart. */
export class MemberNames {
  /** For which object a slot was filled, and where the name begins and ends. */
  readonly #filled = new Int32Array(SLOTS);
  readonly #from = new Int32Array(SLOTS);
  readonly #to = new Int32Array(SLOTS);
  #object = 0;
  #count = 0;
  /** Holds the names instead of the slots: of large objects, and where spellings differ from names. */
  #set: Set<string> | null = null;

  /** An object begins; slots of earlier ones count as free. */
  begin(): void {
    this.#object = (this.#object + 1) | 0;
    this.#count = 0;
    this.#set = null;
  }

  /**
   * Takes a name whose bytes are what it is: no escape, no invalid UTF-8.
   *
   * @returns false when it was not taken, because the object has it or is large: see {@link suffixOf}
   */
  takes(bytes: Buffer, from: number, to: number): boolean {
    if (this.#count === MOST_NAMES) return false;
    const filled = this.#filled;
    const object = this.#object;
    const length = to - from;
    // Field names differ in their lengths and ends.
    let i = (length * 13 + bytes[from]! * 31 + bytes[to - 1]! * 7) & (SLOTS - 1);
    while (filled[i] === object) {
      if (this.#to[i]! - this.#from[i]! === length && isSame(bytes, this.#from[i]!, from, length))
        return false;
      i = (i + 1) & (SLOTS - 1);
    }
    filled[i] = object;
    this.#from[i] = from;
    this.#to[i] = to;
    this.#count++;
    return true;
  }

  /** Takes any name; returns what to put behind it where the object has it already, and nothing where it does not. */
  suffixOf(bytes: Buffer, from: number, to: number): string {
    const names = this.#names(bytes);
    const name = nameAt(bytes, from, to);
    let suffix = '';
    for (let n = 2; names.has(name + suffix); n++) suffix = `#${n}`;
    names.add(name + suffix);
    return suffix;
  }

  #names(bytes: Buffer): Set<string> {
    if (this.#set !== null) return this.#set;
    const names = new Set<string>();
    for (let i = 0; i < SLOTS; i++) {
      if (this.#filled[i] === this.#object) names.add(nameAt(bytes, this.#from[i]!, this.#to[i]!));
    }
    this.#set = names;
    this.#count = MOST_NAMES;
    return names;
  }
}

function isSame(bytes: Buffer, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

/** A name as readers get it: escapes resolved; NUL, halves of surrogate pairs and invalid UTF-8 replaced. */
function nameAt(bytes: Buffer, from: number, to: number): string {
  const name = JSON.parse(`"${bytes.toString('utf8', from, to)}"`) as string;
  return name.toWellFormed().replaceAll('\0', REPLACEMENT_TEXT);
}

/** Finds names that come twice in one object of a JSON line, on bytes, and what to call them instead. */

/** Three numbers a slot: the object that it was filled for, where the name begins and where it ends. */
const SLOT = 3;
const SLOTS = 256;
/** Larger objects keep their names in a set. */
const MOST_NAMES = 128;

/** The names of the objects that are open, one at each depth. */
interface Level {
  readonly slots: Int32Array;
  object: number;
  count: number;
  /** Holds the names instead of the slots: of large objects, and where spellings differ from names. */
  set: Set<string> | null;
}

export class MemberNames {
  readonly #levels: Level[] = [];
  #objects = 0;

  /** An object begins, and with it the one before at this depth has ended. */
  begin(depth: number): void {
    let level = this.#levels[depth];
    if (level === undefined) {
      level = { slots: new Int32Array(SLOT * SLOTS), object: 0, count: 0, set: null };
      this.#levels[depth] = level;
    }
    // Slots of earlier objects count as free.
    this.#objects = (this.#objects + 1) | 0;
    level.object = this.#objects;
    level.count = 0;
    level.set = null;
  }

  /**
   * Takes the name `bytes[from, to)` of a member into the object that is open at this depth.
   *
   * @param isPlain whether its bytes are its name: no escape, no invalid UTF-8
   * @returns what to put behind the name where the object has it already; empty where it does not
   */
  add(depth: number, bytes: Buffer, from: number, to: number, isPlain: boolean): string {
    const level = this.#levels[depth]!;
    if (level.set === null && isPlain && level.count < MOST_NAMES) {
      if (this.#isNew(level, bytes, from, to)) return '';
    }
    level.set ??= setOf(level, bytes);
    const name = nameAt(bytes, from, to);
    let suffix = '';
    for (let n = 2; level.set.has(name + suffix); n++) suffix = `#${n}`;
    level.set.add(name + suffix);
    return suffix;
  }

  #isNew(level: Level, bytes: Buffer, from: number, to: number): boolean {
    const { slots, object } = level;
    const length = to - from;
    // Field names differ in their lengths and ends.
    const ends = length === 0 ? 0 : bytes[from]! * 31 + bytes[to - 1]! * 7 + bytes[from + (length >> 1)]!;
    for (let i = (ends + length * 13) % SLOTS; ; i = (i + 1) % SLOTS) {
      const at = SLOT * i;
      if (slots[at] !== object) {
        slots[at] = object;
        slots[at + 1] = from;
        slots[at + 2] = to;
        level.count++;
        return true;
      }
      if (slots[at + 2]! - slots[at + 1]! === length && isSame(bytes, slots[at + 1]!, from, length))
        return false;
    }
  }
}

function isSame(bytes: Buffer, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

function setOf({ slots, object }: Level, bytes: Buffer): Set<string> {
  const names = new Set<string>();
  for (let at = 0; at < slots.length; at += SLOT) {
    if (slots[at] === object) names.add(nameAt(bytes, slots[at + 1]!, slots[at + 2]!));
  }
  return names;
}

/** A name as readers get it: escapes resolved, halves of surrogate pairs and invalid UTF-8 replaced. */
function nameAt(bytes: Buffer, from: number, to: number): string {
  return (JSON.parse(`"${bytes.toString('utf8', from, to)}"`) as string).toWellFormed();
}

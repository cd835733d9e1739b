/** Keys of maps, distinguished by their bytes while they pass. */
import { skipValue } from './msgpack-scan.ts';

/** How many values {@link slotOf} has. */
export const SLOTS = 256;

/** A set of keys, found by their bytes. */
export class WatchedKeys {
  readonly keys: readonly string[];
  readonly #slots: (readonly Buffer[] | undefined)[] = new Array(SLOTS).fill(undefined);

  constructor(keys: readonly string[]) {
    this.keys = keys;
    for (const key of new Set(keys)) {
      const bytes = Buffer.from(key);
      const slot = slotOf(bytes, 0, bytes.length);
      this.#slots[slot] = [...(this.#slots[slot] ?? []), bytes];
    }
  }

  /** @param slot what {@link slotOf} says of the same key */
  has(slot: number, src: Buffer, key: number, end: number): boolean {
    const candidates = this.#slots[slot];
    return candidates?.some((bytes) => bytes.compare(src, key, end) === 0) ?? false;
  }
}

/** A small hash of a key, good enough for keys of one record. */
export function slotOf(src: Uint8Array, key: number, end: number): number {
  const length = end - key;
  if (length === 0) return 0;
  return (length * 61 + src[key]! * 7 + src[end - 1]! * 13 + src[key + (length >> 1)]!) & (SLOTS - 1);
}

/** Whether the key from `key` to `end` is one of the first `count` string keys from `at` on. */
export function repeats(src: Buffer, at: number, count: number, key: number, end: number): boolean {
  for (let i = 0; i < count; i++) {
    const from = at + (src[at] === 0xd9 ? 2 : 1);
    const to = src[at] === 0xd9 ? from + src[at + 1]! : from + (src[at]! & 0x1f);
    if (to - from === end - key && src.compare(src, key, end, from, to) === 0) return true;
    at = skipValue(src, to, src.length, 0);
  }
  return false;
}

/** Whether the key at `at` is the one in `name`, written as `"key":`. */
export function isName(src: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 1; i < name.length - 2; i++) if (src[at + i - 1] !== name[i]) return false;
  return true;
}

/**
 * `name`, or where it is taken the first of `name#2`, `name#3`, … that isn't.
 *
 * @param names those taken, each with the number that its next copy tries; grows
 */
export function freeName(names: Map<string, number>, name: string): string {
  let next = names.get(name);
  if (next === undefined) {
    names.set(name, 2);
    return name;
  }
  let free: string;
  do free = `${name}#${next++}`;
  while (names.has(free));
  names.set(name, next);
  names.set(free, 2);
  return free;
}

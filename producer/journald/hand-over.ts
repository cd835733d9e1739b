/** Hands the cursor of a journald input over to the one that the configuration has in its place. */
import type { StateMap } from '../state.ts';
import { CURSOR } from './input.ts';

/** The section of a journald input. */
export interface JournaldSection {
  readonly name: string;
  readonly state: StateMap;
  /** Its units and matches, none when it reads all; null when the configuration no longer has the input. */
  readonly selects: readonly string[] | null;
}

export interface HandedCursor {
  readonly from: string;
  readonly to: string;
}

/**
 * Changes the sections: an input without a cursor goes on behind that of a former one that shares units or matches with
 * it, or is the only one. Of several cursors it takes the earliest, so that nothing is lost.
 */
export function handOverCursors(sections: readonly JournaldSection[]): readonly HandedCursor[] {
  const cursors = new Map(sections.map((section) => [section, section.state.get(CURSOR)]));
  const former = sections.filter((section) => section.selects === null && cursors.get(section) !== undefined);
  const heirs = sections.filter((section) => section.selects !== null && cursors.get(section) === undefined);
  const handed: HandedCursor[] = [];
  const used = new Set<JournaldSection>();
  for (const heir of heirs) {
    const single = former.length === 1 && heirs.length === 1;
    const found = former.filter(({ name }) => single || overlap(selectsOf(name), heir.selects!));
    const [first] = found.toSorted((a, b) => momentOf(cursors.get(a)) - momentOf(cursors.get(b)));
    if (!first) continue;
    heir.state.set(CURSOR, cursors.get(first)!);
    handed.push({ from: first.name, to: heir.name });
    for (const each of found) used.add(each);
  }
  for (const { state } of used) state.delete(CURSOR);
  return handed;
}

/** What the name of an input without an id says. */
function selectsOf(name: string): readonly string[] {
  const text = name.slice(name.indexOf(':') + 1);
  return text === '' ? [] : text.split(',');
}

function overlap(a: readonly string[], b: readonly string[]): boolean {
  return a.length === 0 || b.length === 0 || a.some((each) => b.includes(each));
}

/** The time in a cursor, in microseconds; that of a journal without entries comes before all. */
function momentOf(cursor: unknown): number {
  const [, hex = '0'] = /(?:^|;)t=([0-9a-f]+)/.exec(String(cursor)) ?? [];
  return Number.parseInt(hex, 16);
}

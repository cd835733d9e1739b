/** The agent's state as the spool keeps it: sections by name, each JSON values by key. */
import type { Json } from '../state.ts';
import type { SectionChanges } from './recovery.ts';

export type Sections = Map<string, Map<string, Json>>;

/** Brings the changes of a cut into the state; null takes a key away. */
export function apply(state: Sections, sections: SectionChanges): void {
  for (const [name, changes] of Object.entries(sections)) {
    let section = state.get(name);
    if (!section) {
      section = new Map();
      state.set(name, section);
    }
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) section.delete(key);
      else section.set(key, value);
    }
  }
}

/** The whole state as it is after some changes, as the first cut of a segment carries it. */
export function merged(state: Sections, changes: SectionChanges): SectionChanges {
  const copy: Sections = new Map([...state].map(([name, section]) => [name, new Map(section)]));
  apply(copy, changes);
  return Object.fromEntries([...copy].map(([name, section]) => [name, Object.fromEntries(section)]));
}

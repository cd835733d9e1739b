/** Hands what a forward input remembers over to the one that the configuration has in its place. */
import type { StateMap } from '../state.ts';
import { adoptIds } from './chunk-ids.ts';
import { isPart } from './partials.ts';

/** The section of a forward input. */
export interface ForwardSection {
  readonly name: string;
  readonly state: StateMap;
  /** Its addresses; null when the configuration no longer has the input. */
  readonly listen: readonly string[] | null;
}

export interface HandedMessages {
  readonly from: string;
  /** Null when no input is there to take it. */
  readonly to: string | null;
  /** Lines that wait for the rest of their parts. */
  readonly parts: number;
}

/**
 * Changes the sections: inputs at an address of a former one, or else all, recognize the messages that it took, and the
 * first of them goes on with its unfinished lines, whose parts are acknowledged.
 */
export function handOverMessages(sections: readonly ForwardSection[]): readonly HandedMessages[] {
  const present = sections.filter(({ listen }) => listen !== null);
  const handed: HandedMessages[] = [];
  for (const { name, state, listen } of sections) {
    if (listen !== null || state.size === 0) continue;
    const addresses = name.slice(name.indexOf(':') + 1).split(',');
    const same = present.filter((other) => other.listen!.some((address) => addresses.includes(address)));
    const heirs = same.length > 0 ? same : present;
    const [first] = heirs;
    const parts = [...state.entries()].filter(([key]) => isPart(key));
    if (first === undefined) {
      if (parts.length > 0) handed.push({ from: name, to: null, parts: parts.length });
      continue;
    }
    for (const heir of heirs) adoptIds(heir.state, state);
    for (const [key, value] of parts) if (!first.state.has(key)) first.state.set(key, value!);
    for (const [key] of [...state.entries()]) state.delete(key);
    handed.push({ from: name, to: first.name, parts: parts.length });
  }
  return handed;
}

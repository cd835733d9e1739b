/**
 * Hands generations over to the input that covers their log now: paths are added to an input, it gets an id, it is
 * divided in two. Under another name an input would know nothing of its files and begin once more.
 */
import * as path from 'node:path';
import * as z from 'zod/mini';
import type { Json, StateMap } from '../state.ts';
import { adoptEntries, logOfEntry } from './ledger.ts';
import { LogNames } from './rotation.ts';
import { STARTED } from './scanner.ts';

/** Milliseconds by which inputs of one run may have noted their last looks apart: they do so once a minute. */
const SAME_RUN = 150_000;

/** The section of a tail input. */
export interface TailSection {
  readonly name: string;
  readonly state: StateMap;
  /** Whether the input follows the log of this path; null when the configuration no longer has the input. */
  readonly covers: ((log: string) => boolean) | null;
}

/** Logs that another input goes on with. */
export interface HandedLogs {
  readonly from: string;
  readonly to: string;
  readonly logs: readonly string[];
}

type Entry = readonly [key: string, value: Json];

/** What a section says of its logs. */
interface Known extends TailSection {
  /** When it last looked, milliseconds since 1970. */
  readonly started: number;
  readonly logs: ReadonlyMap<string, readonly Entry[]>;
}

interface Move {
  readonly from: Known;
  readonly to: Known;
  readonly log: string;
}

/** Changes the sections: what one input no longer covers goes to those that cover it and have not read it themselves. */
export function handOverLogs(sections: readonly TailSection[]): readonly HandedLogs[] {
  const all = sections.map(known);
  const moves = all.flatMap((to) => movesTo(to, all));
  // Each input takes what was there before any of them changed it.
  for (const to of new Set(moves.map((move) => move.to))) {
    const mine = moves.filter((move) => move.to === to);
    for (const { log } of mine) for (const [key] of to.logs.get(log) ?? []) to.state.delete(key);
    adoptEntries(
      to.state,
      mine.flatMap(({ from, log }) => from.logs.get(log)!),
    );
    const started = Math.max(...mine.map(({ from }) => from.started));
    if (!to.state.has(STARTED) && Number.isFinite(started)) to.state.set(STARTED, started);
  }
  // Should the old input come back, it goes on where these have got to.
  for (const { from, log } of moves) for (const [key] of from.logs.get(log)!) from.state.delete(key);
  const pairs = Map.groupBy(moves, ({ from, to }) => `${from.name}\0${to.name}`);
  return [...pairs.values()].map((group) => {
    const { from, to } = group[0]!;
    return { from: from.name, to: to.name, logs: group.map(({ log }) => log) };
  });
}

function known(section: TailSection): Known {
  const logs = new Map<string, Entry[]>();
  for (const [key, value] of section.state.entries()) {
    const log = logOfEntry(key, value);
    if (log === null) continue;
    const entries = logs.get(log);
    if (entries) entries.push([key, value]);
    else logs.set(log, [[key, value]]);
  }
  const started = section.state.read(STARTED, z.number()) ?? Number.NEGATIVE_INFINITY;
  return { ...section, started, logs };
}

function movesTo(to: Known, all: readonly Known[]): Move[] {
  const { covers } = to;
  if (covers === null) return [];
  const moves = new Map<string, Move>();
  const take = (from: Known, log: string): void => {
    const other = moves.get(log);
    if (other && other.from.started >= from.started) return;
    // It read the log itself in the run that ended last.
    if (to.logs.has(log) && to.started > from.started - SAME_RUN) return;
    moves.set(log, { from, to, log });
  };
  for (const from of all) {
    if (from === to) continue;
    const given = [...from.logs.keys()].filter((log) => !from.covers?.(log));
    const taken = given.filter(covers);
    for (const log of taken) take(from, log);
    // Rotated files that were logs by their names may be next to one that is followed.
    const folders = namesByFolder(taken);
    for (const log of given) {
      const hint = folders.get(path.dirname(log))?.hint(path.basename(log));
      if (hint?.usual && !all.some((each) => each.covers?.(log))) take(from, log);
    }
  }
  return [...moves.values()];
}

function namesByFolder(logs: readonly string[]): ReadonlyMap<string, LogNames<string>> {
  const folders = new Map<string, LogNames<string>>();
  for (const log of logs) {
    const folder = path.dirname(log);
    const names = folders.get(folder) ?? new LogNames<string>();
    folders.set(folder, names);
    names.add(path.basename(log), log);
  }
  return folders;
}

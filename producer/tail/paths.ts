/** The files that the patterns of an input mean. */
import { type BigIntStats, statSync } from 'node:fs';
import * as path from 'node:path';
import type { Glob, List } from './glob.ts';
import { basesOf, compressionOf } from './rotation.ts';

/**
 * The paths of logs that globs mean: all files that match, but for the rotated generations of another one of them and
 * for compressed files, to which nobody appends lines.
 */
export function* followedPaths(
  include: readonly Glob[],
  exclude: readonly Glob[],
  list: List,
  followed: (path: string) => boolean,
): Generator<string> {
  const found = new Set(include.flatMap((glob) => glob.expand(list)));
  for (const file of found) {
    if (compressionOf(file) !== null || exclude.some((glob) => glob.matches(file))) continue;
    // Several globs may name a file that another one takes for a log's rotated generation: it is read with that log.
    const rotated = basesOf(path.basename(file)).some((base) => {
      const live = path.join(path.dirname(file), base);
      return followed(live) || found.has(live);
    });
    if (!rotated) yield file;
  }
}

/**
 * What a path leads to; null when nothing does.
 *
 * @throws the system's error when it can't be known: a folder that may not be entered, a ring of links
 */
export function statOf(file: string): BigIntStats | null {
  try {
    return statSync(file, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return null;
    throw error;
  }
}

/** Path patterns: `*` and `?` inside a name, `[a-z]`, `{a,b}`, and `**` for any folders. */
import { type Dirent, readdirSync } from 'node:fs';
import * as path from 'node:path';

const MAGIC = /[*?[\]{}]/;

/** Lists a folder; one that cannot be read counts as empty. */
export type List = (folder: string) => readonly Dirent[];

/** @param refused called with the system's code when the folder exists but cannot be read */
export function listFolder(folder: string, refused?: (code: string) => void): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') refused?.(code);
    return [];
  }
}

/** Directives of strftime in a path, and what stands for any time in their place. */
const DATES: Readonly<Record<string, string>> = {
  Y: '[0-9][0-9][0-9][0-9]',
  ...Object.fromEntries([...'mdHMSyV'].map((letter) => [letter, '[0-9][0-9]'])),
  j: '[0-9][0-9][0-9]',
  F: '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]',
  b: '[A-Z][a-z][a-z]',
  s: '[0-9]*',
  '%': '%',
};

/** Whether inputs with these patterns follow the log of a path. */
export function coverage(
  include: string | readonly string[],
  exclude: string | readonly string[] = [],
): (log: string) => boolean {
  const [included, excluded] = [globsOf(include), globsOf(exclude)];
  return (log) => included.some((glob) => glob.matches(log)) && !excluded.some((glob) => glob.matches(log));
}

/** Patterns as an option has them: one or several. */
export function globsOf(patterns: string | readonly string[] = []): Glob[] {
  return [patterns].flat().map((pattern) => new Glob(pattern));
}

/** A compiled path pattern. */
export class Glob {
  readonly pattern: string;
  readonly #segments: readonly (string | RegExp | '**')[];
  readonly #whole: RegExp;

  constructor(pattern: string) {
    const dated = (text: string): string =>
      text.replace(/%([YmdHMSyVjFbs%])/g, (_, letter: string) => DATES[letter]!);
    const texts = partsOf(path.resolve(pattern));
    this.pattern = `/${texts.map(dated).join('/')}`;
    this.#segments = texts.map((text) => {
      if (text === '**' || !MAGIC.test(dated(text))) return dated(text);
      return new RegExp(`^${either(text, dated(text))}$`);
    });
    const whole = texts.map((text) => (text === '**' ? '(?:/[^/]+)*?' : `/${either(text, dated(text))}`));
    this.#whole = new RegExp(`^${whole.join('')}$`);
  }

  /** Whether it is one path and no pattern. */
  get literal(): boolean {
    return this.#segments.every((segment) => typeof segment === 'string' && segment !== '**');
  }

  matches(file: string): boolean {
    return this.#whole.test(file);
  }

  /** The files that match, symbolic links to files among them; a literal path whether it exists or not. */
  expand(list: List = listFolder): string[] {
    return this.literal ? [this.pattern] : this.#expand('/', 0, list);
  }

  #expand(folder: string, depth: number, list: List): string[] {
    const segment = this.#segments[depth]!;
    const last = depth === this.#segments.length - 1;
    if (segment === '**') {
      const here = last ? [] : this.#expand(folder, depth + 1, list);
      // Links to folders are not followed here: they can form a ring.
      const below = list(folder)
        .filter((entry) => entry.isDirectory())
        .flatMap((entry) => this.#expand(path.join(folder, entry.name), depth, list));
      const files = last
        ? list(folder)
            .filter(isFile)
            .map((entry) => path.join(folder, entry.name))
        : [];
      return [...here, ...below, ...files];
    }
    if (typeof segment === 'string' && !last)
      return this.#expand(path.join(folder, segment), depth + 1, list);
    const test =
      typeof segment === 'string' ? (name: string) => name === segment : (name: string) => segment.test(name);
    const found = list(folder).filter(
      (entry) => test(entry.name) && (last ? isFile(entry) : !entry.isFile()),
    );
    return found.flatMap((entry) => {
      const file = path.join(folder, entry.name);
      return last ? [file] : this.#expand(file, depth + 1, list);
    });
  }
}

function partsOf(file: string): string[] {
  return file.split('/').filter((part) => part !== '');
}

/** What a segment stands for: names that it is the pattern of, and the name that it is: a file may be called `app[1].log`. */
function either(text: string, pattern: string): string {
  const own = text.replace(/[.+*?^$()|\\/[\]{}]/g, '\\$&');
  return /[[{%]/.test(text) ? `(?:${source(pattern)}|${own})` : source(pattern);
}

function isFile(entry: Dirent): boolean {
  return entry.isFile() || entry.isSymbolicLink();
}

/** The regular expression of one segment; a leading dot is matched only by a dot. */
function source(segment: string): string {
  let text = /^[*?[]/.test(segment) ? '(?!\\.)' : '';
  let braces = 0;
  for (let i = 0; i < segment.length; i++) {
    const c = segment[i]!;
    const close = c === '[' ? segment.indexOf(']', i + 2) : -1;
    if (c === '*') text += '[^/]*';
    else if (c === '?') text += '[^/]';
    else if (close > 0) {
      const set = segment
        .slice(i + 1, close)
        .replace(/^!/, '^')
        .replaceAll('\\', '\\\\')
        .replaceAll('[', '\\[');
      text += `[${set}]`;
      i = close;
    } else if (c === '{' && segment.includes('}', i)) {
      text += '(?:';
      braces++;
    } else if (c === '}' && braces > 0) {
      text += ')';
      braces--;
    } else if (c === ',' && braces > 0) text += '|';
    else text += c.replace(/[.+^$()|\\/[\]{}]/, '\\$&');
  }
  return text;
}

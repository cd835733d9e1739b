/**
 * The names that log rotation gives. They never decide what a file is, its content does: they say which files next to
 * a log are worth a look, and which of two explanations is likelier where the content fits both.
 */

/** `20261123`, `20261123-140500`, `2026-11-23`, `1700000000`, followed by a number where a day has several. */
const DATE = String.raw`[.\-_](?:\d{6,14}|\d{4}-\d{2}-\d{2}(?:[-_T]\d{2}(?:[-:]?\d{2}){0,2})?)(?:[.\-_]\d{1,14})?`;
/** `.1`, but not `-1`, which names the first of several logs as often as a rotated one. */
const SUFFIX = String.raw`(?:\.\d{1,4}|${DATE}|[.\-_](?:old|bak|prev))`;
/** In the middle of a name four digits are a port or a year as often: `app.8080.log`. */
const MIDDLE = String.raw`(?:\.\d{1,3}|${DATE}|[.\-_](?:old|bak|prev))`;
/** Of compressors, of archives, and of a compressor at work. */
const COMPRESSED =
  /\.(gz|zst|bz2|xz|lz4|Z|zip|lzma|br|7z|rar|lzo|sz|tgz|tbz2?|txz|tzst|(?:gz|zst|bz2|xz)\.(?:tmp|part))$/;
const AT_END = new RegExp(`^(.+?)${SUFFIX}$`);
/** logrotate's `extension`, and what application loggers do: `access-20261123.log`, `app.1.log`. */
const BEFORE_EXTENSION = new RegExp(`^(.+?)${MIDDLE}(\\.[A-Za-z]\\w*)$`);
const TOKENS = /\p{L}+|\p{N}+/gu;
/** What rotation adds to a name, in whatever form. */
const ADDED =
  /^(?:\p{N}+|t|z|utc|old|bak|bk|backup|prev|previous|orig|save|saved|rotated|archived?|copy|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)$/iu;
/** Names with more parts than this are not searched for the name of a log. */
const MAX_TOKENS = 24;

export type Compressed = 'gz' | 'zst' | 'other' | null;

/** How a file is compressed, by its name. */
export function compressionOf(name: string): Compressed {
  const match = COMPRESSED.exec(name);
  if (!match) return null;
  return match[1] === 'gz' || match[1] === 'zst' ? match[1] : 'other';
}

/** The name without the ending of a compressed file. */
export function uncompressedName(name: string): string {
  return name.replace(COMPRESSED, '');
}

/**
 * The names that `name` is a usual rotated form of: `access.log` for `access.log.1`, `access.log-20261123.gz` and
 * `access-20261123.log`. Empty when it does not look like a rotated name.
 */
function basesOf(name: string): string[] {
  const plain = uncompressedName(name);
  const bases: string[] = [];
  const end = AT_END.exec(plain);
  if (end) bases.push(end[1]!);
  const middle = BEFORE_EXTENSION.exec(plain);
  if (middle) bases.push(`${middle[1]}${middle[2]}`);
  // A compressed file next to the log, under the log's own name.
  if (plain !== name) bases.push(plain);
  return bases;
}

/** What a name suggests: the log whose rotated generation the file may be. */
export interface Hint<T> {
  readonly log: T;
  /** Whether it is a form that rotation commonly gives; otherwise the name merely contains the log's. */
  readonly usual: boolean;
}

/** The logs of a folder, found by the names that their rotated generations may have. */
export class LogNames<T> {
  readonly #byName = new Map<string, T>();
  readonly #byTokens = new Map<string, { readonly name: string; readonly log: T }>();

  get size(): number {
    return this.#byName.size;
  }

  add(name: string, log: T): void {
    this.#byName.set(name, log);
    const tokens = (name.match(TOKENS) ?? []).join('\0');
    if (!this.#byTokens.has(tokens)) this.#byTokens.set(tokens, { name, log });
  }

  /** The log whose generation a file of this name may be; null where the name suggests none. */
  hint(name: string): Hint<T> | null {
    for (const base of basesOf(name)) {
      const log = base === name ? undefined : this.#byName.get(base);
      if (log !== undefined) return { log, usual: true };
    }
    const tokens = uncompressedName(name).match(TOKENS) ?? [];
    if (tokens.length > MAX_TOKENS) return null;
    // The log's name is this one without a run of dates, numbers and the like: the shortest such run.
    for (let length = 0; length < tokens.length; length++) {
      for (let from = tokens.length - length; from >= 0; from--) {
        if (!tokens.slice(from, from + length).every((token) => ADDED.test(token))) continue;
        const found = this.#byTokens.get(tokens.toSpliced(from, length).join('\0'));
        if (found && found.name !== name) return { log: found.log, usual: false };
        if (length === 0) break;
      }
    }
    return null;
  }
}

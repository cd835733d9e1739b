/** The names that log rotation gives: which files are earlier generations of a followed one. */

/** `20261123`, `20261123-140500`, `2026-11-23`, `1700000000`, with a number behind it where a day has several. */
const DATE = String.raw`[.\-_](?:\d{6,14}|\d{4}-\d{2}-\d{2}(?:[-_T]\d{2}(?:[-:]?\d{2}){0,2})?)(?:[.\-_]\d{1,14})?`;
/** `.1`; and not `-1`, which names the first of several logs as often as a rotated one. */
const SUFFIX = String.raw`(?:\.\d{1,4}|${DATE}|[.\-_](?:old|bak|prev))`;
/** Of compressors, of archives, and of a compressor at work. */
const COMPRESSED =
  /\.(gz|zst|bz2|xz|lz4|Z|zip|lzma|br|7z|rar|lzo|sz|tgz|tbz2?|txz|tzst|(?:gz|zst|bz2|xz)\.(?:tmp|part))$/;
const AT_END = new RegExp(`^(.+?)${SUFFIX}$`);
/** logrotate's `extension`, and what application loggers do: `access-20261123.log`, `app.1.log`. */
const BEFORE_EXTENSION = new RegExp(`^(.+?)${SUFFIX}(\\.[A-Za-z]\\w*)$`);

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
 * The names that `name` may be a rotated generation of: `access.log` for `access.log.1`, `access.log-20261123.gz`
 * and `access-20261123.log`. Empty when it looks like no rotated name.
 */
export function basesOf(name: string): string[] {
  const plain = uncompressedName(name);
  const bases: string[] = [];
  const end = AT_END.exec(plain);
  if (end) bases.push(end[1]!);
  const middle = BEFORE_EXTENSION.exec(plain);
  if (middle) bases.push(`${middle[1]}${middle[2]}`);
  // A compressed file beside the log, under the log's own name.
  if (plain !== name) bases.push(plain);
  return bases;
}

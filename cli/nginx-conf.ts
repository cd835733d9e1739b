/** What nginx.conf says about logs: the files of both kinds, and the formats of access logs. */

export interface AccessLog {
  readonly path: string;
  /** The value of the log_format directive, as nginx writes it; null for nginx's own `combined`. */
  readonly format: string | null;
}

/** The directives of a configuration, as lists of their words; blocks are flattened, since only names matter here. */
function directives(text: string): string[][] {
  const found: string[][] = [];
  let words: string[] = [];
  const token = /#[^\n]*|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|[;{}]|[^\s;{}"']+/gs;
  for (const [whole, double, single] of text.matchAll(token)) {
    if (whole.startsWith('#')) continue;
    if (whole === ';' || whole === '{' || whole === '}') {
      if (words.length > 0) found.push(words);
      words = [];
    } else words.push((double ?? single ?? whole).replaceAll(/\\(["'\\])/g, '$1'));
  }
  return found;
}

/**
 * The access logs of a configuration, each once, in the order of the file.
 *
 * @param text nginx.conf, or all files that it includes one after another
 */
export function accessLogs(text: string): AccessLog[] {
  const all = directives(text);
  const formats = new Map<string, string>();
  for (const [name, format, ...rest] of all) {
    if (name !== 'log_format' || format === undefined) continue;
    formats.set(format, rest.filter((word) => !word.startsWith('escape=')).join(''));
  }
  const logs = new Map<string, AccessLog>();
  for (const [name, path, format] of all) {
    if (name !== 'access_log' || !isFollowed(path) || logs.has(path)) continue;
    logs.set(path, { path, format: formats.get(format ?? '') ?? null });
  }
  return [...logs.values()];
}

/** The error logs of a configuration, each once, in the order of the file. */
export function errorLogs(text: string): string[] {
  const paths = directives(text).flatMap(([name, path]) =>
    name === 'error_log' && isFollowed(path) ? [path] : [],
  );
  return [...new Set(paths)];
}

/** Whether it is a file to follow: not off, syslog, memory or stderr, and without variables in its name. */
function isFollowed(path: string | undefined): path is string {
  return path?.startsWith('/') === true && path !== '/dev/null' && !path.includes('$');
}

/** The files that a configuration includes, as patterns. */
export function includes(text: string): string[] {
  return directives(text).flatMap(([name, pattern]) =>
    name === 'include' && pattern !== undefined ? [pattern] : [],
  );
}

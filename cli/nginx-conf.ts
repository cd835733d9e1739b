/** What nginx.conf says about logs: the files of both kinds, and the formats of access logs. */

export interface AccessLog {
  readonly path: string;
  /** The value of the log_format directive, with its `escape` in front; null for nginx's own `combined`. */
  readonly format: string | null;
}

/** A log that a configuration names, and that init cannot follow. */
export interface LeftOut {
  readonly directive: string;
  readonly why: string;
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
    const isEscape = (word: string): boolean => word.startsWith('escape=');
    const prefix = rest.filter(isEscape).map((word) => `${word} `);
    formats.set(format, [...prefix, ...rest.filter((word) => !isEscape(word))].join(''));
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

/** Logs that go elsewhere than to a file, or to files whose names nginx makes of variables; each once. */
export function leftOut(text: string): LeftOut[] {
  const found = directives(text).flatMap(([name, path = '']): LeftOut[] => {
    const directive = `${name} ${path}`;
    const isFile: boolean = isFollowed(path);
    if ((name !== 'access_log' && name !== 'error_log') || isFile) return [];
    if (path.startsWith('/') && path.includes('$'))
      return [{ directive, why: 'has a variable in its name: follow its files by a pattern, with * for it' }];
    if (path.startsWith('syslog:'))
      return [{ directive, why: 'goes to syslog: follow the file that syslog writes, with format: syslog' }];
    return [];
  });
  return [...new Map(found.map((each) => [each.directive, each])).values()];
}

/**
 * The format of a log's lines as an input has it: that of JSON where the directive writes objects, whose time is known by
 * its variable.
 */
export function inputFormat(format: string | null): string | Readonly<Record<string, string>> {
  if (format === null) return 'nginx';
  const text = format.replace(/^escape=\w+ /, '').trim();
  if (!/^\{.*\}$/s.test(text) || !format.startsWith('escape=json '))
    return { type: 'nginx', log_format: format };
  const time = /"([^"]+)"\s*:\s*"?\$(?:time_iso8601|msec|time_local)\b/.exec(text)?.[1];
  return time === undefined || time === 'time' ? 'json' : { type: 'json', time_key: time };
}

/**
 * A tag for each log by the name of its file: `nginx.access` of access.log, `nginx.shop.access` of shop.access.log. Names
 * that come twice are numbered.
 */
export function tagsOf(paths: readonly string[], kind: 'access' | 'error'): string[] {
  const used = new Set<string>();
  return paths.map((path) => {
    const name = path
      .replace(/^.*\//, '')
      .replace(/\.log$/, '')
      .replace(new RegExp(`[-_.]?${kind}$|^${kind}[-_.]`), '')
      .replaceAll(/[^\w.-]+/g, '_');
    const tag = name === '' ? `nginx.${kind}` : `nginx.${name}.${kind}`;
    let unique = tag;
    for (let i = 2; used.has(unique); i++) unique = `${tag}_${i}`;
    used.add(unique);
    return unique;
  });
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

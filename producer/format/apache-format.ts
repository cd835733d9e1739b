/** What Apache's `LogFormat` says: its directives by letter, its usual formats, and its times in pieces. */
import { FormatError } from './errors.ts';
import {
  assembleFormat,
  type Escape,
  type LogFormat,
  type Part,
  splitFormat,
  type Variable,
} from './log-format.ts';
import { nginxParts } from './nginx-format.ts';

const APACHE_FORMATS: Readonly<Record<string, string>> = {
  common: '%h %l %u %t "%r" %>s %b',
  combined: '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
  vhost_combined: '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
};

const solid = true;

/** Directives by letter; those with an argument stand below. */
const NAMES: Readonly<Record<string, Variable>> = {
  a: { name: 'remote', kind: 'text', solid, address: true },
  A: { name: 'local_address', kind: 'text', solid, address: true },
  b: { name: 'size', kind: 'number', solid },
  B: { name: 'size', kind: 'number', solid },
  D: { name: 'duration_us', kind: 'number', solid },
  f: { name: 'filename', kind: 'text' },
  h: { name: 'host', kind: 'text', solid, address: true },
  H: { name: 'protocol', kind: 'text', solid },
  I: { name: 'bytes_received', kind: 'number', solid },
  k: { name: 'keepalive_requests', kind: 'number', solid },
  l: { name: 'ident', kind: 'text' },
  L: { name: 'log_id', kind: 'text', solid },
  m: { name: 'method', kind: 'text', solid },
  O: { name: 'size', kind: 'number', solid },
  p: { name: 'port', kind: 'number', solid },
  P: { name: 'pid', kind: 'number', solid },
  q: { name: 'query', kind: 'text' },
  r: { name: 'request', kind: 'request' },
  R: { name: 'handler', kind: 'text', solid },
  s: { name: 'code', kind: 'number', solid },
  S: { name: 'bytes_transferred', kind: 'number', solid },
  T: { name: 'duration', kind: 'number', solid },
  u: { name: 'user', kind: 'text', emptyQuotes: true },
  U: { name: 'path', kind: 'text', begins: '/' },
  v: { name: 'server_name', kind: 'text', solid, address: true },
  V: { name: 'server_name', kind: 'text', solid, address: true },
  X: { name: 'connection_status', kind: 'text', solid },
  '^FB': { name: 'first_byte_us', kind: 'number', solid },
};

/** Directives that take an argument and whose argument alone says what the value is. */
const NAMED = 'Cenx';

const DIRECTIVE = /%(?:%|[!\d,<>]*(?:\{([^}]*)\})?[!\d,<>]*(\^[A-Za-z]{2}|[A-Za-z])|)/g;

/**
 * Reads Apache's `LogFormat`, by name or as in the configuration; `$variables` are taken as nginx's.
 *
 * @throws FormatError for what Apache does not know, or fields that cannot be separated
 */
export function parseApacheFormat(text: string): LogFormat {
  return parsePercentFormat(text, APACHE_FORMATS, apacheVariable);
}

/** lighttpd's default, whose `%V` is the host that the client asked for. */
const LIGHTTPD_FORMATS: Readonly<Record<string, string>> = {
  default: '%h %V %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
};

/** Reads `accesslog.format` of lighttpd, whose directives are Apache's. */
export function parseLighttpdFormat(text: string): LogFormat {
  return parsePercentFormat(text, LIGHTTPD_FORMATS, (letter, argument) =>
    letter === 'V' ? { name: 'server_name', kind: 'text', address: true } : apacheVariable(letter, argument),
  );
}

/** A format of `%` directives, by name or as a configuration has it. */
export function parsePercentFormat(
  text: string,
  named: Readonly<Record<string, string>>,
  variable: (letter: string, argument: string | undefined) => Variable,
  escaping: Escape = 'apache',
): LogFormat {
  const names = Object.keys(named);
  const known = named[text];
  if (known === undefined && /\$\w/.test(text) && !/%[>{\w]/.test(text)) {
    return assembleFormat(nginxParts(text), escaping, text, names);
  }
  const directive = /^\s*(?:#[^\n]*\n\s*)*(?:LogFormat|CustomLog\s+\S+)\s+"((?:[^"\\]|\\.)*)"/s.exec(text);
  const source = (known ?? directive?.[1] ?? text)
    .replace(/\\\n\s*/g, '')
    .replace(/\\(["\\])/g, '$1')
    .replaceAll('\\t', '\t');
  const parts = splitFormat(source.replaceAll('%t', '[%t]'), DIRECTIVE, (match) => {
    if (match[0] === '%%') return '%';
    try {
      if (match[2] === undefined) throw new FormatError('it ends in the middle of a directive');
      return variable(match[2], match[1]);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new FormatError(`${JSON.stringify(text)}, column ${match.index + 1}: ${error.message}`);
    }
  });
  return assembleFormat(joinTimes(joinQueries(parts)), escaping, text, names);
}

/** `%U%q`, the path and the query with its question mark, is what a request line has between method and protocol. */
function joinQueries(parts: readonly Part[]): Part[] {
  return parts.filter((part, i) => {
    const before = parts[i - 1];
    const query = typeof part === 'object' && part.variable === NAMES.q;
    return !(query && typeof before === 'object' && before.variable === NAMES.U);
  });
}

/** A time that is written in pieces, `%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t`, is one field. */
function joinTimes(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  for (const part of parts) {
    const [before, between] = [joined.at(-2), joined.at(-1)];
    const format = typeof part === 'object' ? part.variable.timeFormat : undefined;
    const directly = typeof between === 'object';
    const first = directly ? between : before;
    const earlier = typeof first === 'object' ? first.variable.timeFormat : undefined;
    if (format === undefined || earlier === undefined || overlap(earlier, format)) {
      joined.push(part);
      continue;
    }
    if (directly) joined.pop();
    else joined.splice(-2);
    const literal = directly ? '' : (between as string).replaceAll('%', '%%');
    const timeFormat = `${earlier}${literal}${format}`;
    joined.push({
      ...(first as Exclude<Part, string>),
      variable: { name: 'time', kind: 'strftime', timeFormat, solid },
    });
  }
  return joined;
}

/** Whether two formats say the same part of a time: they are two times then, such as a request's begin and end. */
function overlap(one: string, other: string): boolean {
  const letters = (format: string) =>
    new Set([...format.matchAll(/%\d?([A-Za-z])/g)].map(([, letter]) => letter));
  return !letters(one.replaceAll('%Q', '%s')).isDisjointFrom(letters(other.replaceAll('%Q', '%s')));
}

const TIMES: Readonly<Record<string, Variable>> = {
  sec: { name: 'time', kind: 'seconds', timeFormat: '%s', solid },
  msec: { name: 'time', kind: 'milliseconds', timeFormat: '%Q', solid },
  usec: { name: 'time', kind: 'microseconds', timeFormat: '%s%6N', solid },
  msec_frac: { name: 'time_msec', kind: 'number', timeFormat: '%3N', solid },
  usec_frac: { name: 'time_usec', kind: 'number', timeFormat: '%6N', solid },
};

function apacheTime(argument: string): Variable {
  const format = argument.replace(/^(?:begin|end)(?::|$)/, '');
  if (format === '') return { name: 'time', kind: 'strftime', timeFormat: '[%d/%b/%Y:%H:%M:%S %z]', solid };
  return TIMES[format] ?? { name: 'time', kind: 'strftime', timeFormat: format, solid };
}

function apacheVariable(letter: string, argument: string | undefined): Variable {
  if (argument === undefined || argument === '') {
    if (letter === 't') return { name: 'time', kind: 'clf', solid };
    const known = NAMES[letter];
    if (!known) throw new FormatError(`%${letter} is not a directive of Apache's LogFormat`);
    return known;
  }
  const name = argument.toLowerCase().replaceAll('-', '_');
  switch (letter) {
    case 'i':
      if (name === 'referer') return { name: 'referer', kind: 'text' };
      if (name === 'user_agent') return { name: 'agent', kind: 'text' };
      return { name: `http_${name}`, kind: 'text', list: name === 'x_forwarded_for' };
    case 'o':
      return { name: `sent_http_${name}`, kind: 'text' };
    case '^ti':
      return { name: `trailer_${name}`, kind: 'text' };
    case '^to':
      return { name: `sent_trailer_${name}`, kind: 'text' };
    case 't':
      return apacheTime(argument);
    case 'T':
      return { name: name === 's' ? 'duration' : `duration_${name}`, kind: 'number', solid };
    case 'a':
      return { name: 'peer', kind: 'text', solid, address: true };
    case 'h':
      return { name: 'peer_host', kind: 'text', solid, address: true };
    case 'L':
      return { name: 'connection_log_id', kind: 'text', solid };
    case 'p':
      return { name: `${name}_port`, kind: 'number', solid };
    case 'P':
      return { name, kind: name === 'pid' || name === 'tid' ? 'number' : 'text', solid };
  }
  // Cookies, environment, notes, variables of TLS: the name alone says it.
  if (NAMED.includes(letter)) return { name, kind: 'text' };
  throw new FormatError(`%{${argument}}${letter} is not a directive of Apache's LogFormat`);
}

/** What nginx's `log_format` and Apache's `LogFormat` say: the fields of a line and the literals between them. */
import { FormatError } from './errors.ts';

/** How the server escapes a value: `\x22` (nginx), `\"` and `\x07` (Apache), as JSON does, or not at all. */
export type Escape = 'nginx' | 'apache' | 'json' | 'none';

export type FieldKind =
  | 'text'
  | 'number'
  /** `GET /path HTTP/1.1`, which becomes method, path and protocol. */
  | 'request'
  /** `23/Nov/2026:21:04:07 +0000` */
  | 'clf'
  /** `2026-11-23T21:04:07+00:00` */
  | 'iso'
  /** Seconds since 1970, with or without a fraction; then the same in milliseconds and microseconds. */
  | 'seconds'
  | 'milliseconds'
  | 'microseconds';

export interface LogField {
  readonly name: string;
  readonly kind: FieldKind;
  /** Whether the value can be a list with spaces in it, `0.001, 0.002 : 0.003`. */
  readonly list: boolean;
  /** The literal behind the field; empty at the end of the line. */
  readonly literal: string;
}

export interface LogFormat {
  /** The literal before the first field. */
  readonly prefix: string;
  readonly fields: readonly LogField[];
  readonly escape: Escape;
}

const TEXTUAL: ReadonlySet<FieldKind> = new Set(['text', 'request', 'clf', 'iso']);

type Variable = Pick<LogField, 'name' | 'kind'> & {
  readonly list?: boolean;
  /** The server's own name for it, for when `name` is taken. */
  readonly own?: string;
};

const NGINX_FORMATS: Readonly<Record<string, string>> = {
  combined:
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"',
  main: '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
};

const APACHE_FORMATS: Readonly<Record<string, string>> = {
  common: '%h %l %u %t "%r" %>s %b',
  combined: '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
  vhost_combined: '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
};

const NGINX_NAMES: Readonly<Record<string, Variable>> = {
  remote_addr: { name: 'remote', kind: 'text' },
  remote_user: { name: 'user', kind: 'text' },
  time_local: { name: 'time', kind: 'clf' },
  time_iso8601: { name: 'time', kind: 'iso' },
  msec: { name: 'time', kind: 'seconds' },
  request: { name: 'request', kind: 'request' },
  request_method: { name: 'method', kind: 'text' },
  request_uri: { name: 'path', kind: 'text' },
  server_protocol: { name: 'protocol', kind: 'text' },
  status: { name: 'code', kind: 'number' },
  body_bytes_sent: { name: 'size', kind: 'number' },
  http_referer: { name: 'referer', kind: 'text' },
  http_user_agent: { name: 'agent', kind: 'text' },
};

const NGINX_NUMBERS =
  /^(bytes_sent|bytes_received|request_length|request_time|connection|connections_\w+|connection_requests|connection_time|content_length|gzip_ratio|remote_port|server_port|pid|session_time|upstream_(?:bytes_received|bytes_sent|connect_time|first_byte_time|header_time|queue_time|response_length|response_time|session_time|status)|tcpinfo_\w+)$/;
const NGINX_LISTS = /^(upstream_\w+|http_x_forwarded_for|proxy_add_x_forwarded_for)$/;

/** Apache's directives by letter; those with an argument stand below. */
const APACHE_NAMES: Readonly<Record<string, Variable>> = {
  a: { name: 'remote', kind: 'text' },
  A: { name: 'local_address', kind: 'text' },
  b: { name: 'size', kind: 'number' },
  B: { name: 'size', kind: 'number' },
  D: { name: 'duration_us', kind: 'number' },
  f: { name: 'filename', kind: 'text' },
  h: { name: 'host', kind: 'text' },
  H: { name: 'protocol', kind: 'text' },
  I: { name: 'bytes_received', kind: 'number' },
  k: { name: 'keepalive_requests', kind: 'number' },
  l: { name: 'ident', kind: 'text' },
  L: { name: 'log_id', kind: 'text' },
  m: { name: 'method', kind: 'text' },
  O: { name: 'size', kind: 'number' },
  p: { name: 'port', kind: 'number' },
  P: { name: 'pid', kind: 'number' },
  q: { name: 'query', kind: 'text' },
  r: { name: 'request', kind: 'request' },
  R: { name: 'handler', kind: 'text' },
  s: { name: 'code', kind: 'number' },
  S: { name: 'bytes_transferred', kind: 'number' },
  T: { name: 'duration', kind: 'number' },
  u: { name: 'user', kind: 'text' },
  U: { name: 'path', kind: 'text' },
  v: { name: 'server_name', kind: 'text' },
  V: { name: 'server_name', kind: 'text' },
  X: { name: 'connection_status', kind: 'text' },
};

/**
 * Reads nginx's `log_format`: one of its names, the string itself, or the whole directive as it stands in nginx.conf.
 *
 * @throws FormatError when fields can't be told apart or there are none
 */
export function parseNginxFormat(text: string): LogFormat {
  const directive = /^\s*log_format\s+\S+\s+(?:escape=(\w+)\s+)?(.*?);?\s*$/s.exec(text);
  let escaping: Escape = 'nginx';
  let source = NGINX_FORMATS[text] ?? text;
  if (directive) {
    source = directive[2]!;
    if (directive[1] === 'json' || directive[1] === 'none') escaping = directive[1];
  } else {
    const option = /^\s*escape=(default|json|none)\s+/.exec(source);
    if (option) {
      source = source.slice(option[0].length);
      if (option[1] !== 'default') escaping = option[1] as Escape;
    }
  }
  if (/^\s*'/.test(source)) source = joinQuoted(source);
  const parts = split(source, /\$(?:\{(\w+)\}|(\w+))/g, (match) => nginxVariable(match[1] ?? match[2]!));
  return assemble(parts, escaping, text);
}

/** Reads Apache's `LogFormat`, by name or as it stands in the configuration; `$variables` are taken as nginx's. */
export function parseApacheFormat(text: string): LogFormat {
  const named = APACHE_FORMATS[text];
  if (named === undefined && /\$\w/.test(text) && !/%[>{\w]/.test(text)) {
    return { ...parseNginxFormat(text), escape: 'apache' };
  }
  const directive = /^\s*LogFormat\s+"((?:[^"\\]|\\.)*)"/.exec(text);
  const source = (named ?? directive?.[1] ?? text).replace(/\\(["\\])/g, '$1').replaceAll('\\t', '\t');
  const parts = split(
    source.replaceAll('%t', '[%t]'),
    /%(?:%|[!\d,<>]*(?:\{([^}]*)\})?[<>]?(\^?[A-Za-z]{1,2}?))/g,
    (match) => (match[0] === '%%' ? '%' : apacheVariable(match[2]!, match[1])),
  );
  return assemble(parts, 'apache', text);
}

/** nginx joins the quoted parts of a directive without anything between them. */
function joinQuoted(source: string): string {
  return [...source.matchAll(/'((?:[^'\\]|\\.)*)'/g)]
    .map((match) => match[1]!.replace(/\\(['"\\])/g, '$1').replaceAll('\\t', '\t'))
    .join('');
}

function nginxVariable(name: string): Variable {
  const known = NGINX_NAMES[name];
  if (known) return { ...known, own: name };
  return { name, kind: NGINX_NUMBERS.test(name) ? 'number' : 'text', list: NGINX_LISTS.test(name) };
}

function apacheVariable(letter: string, argument: string | undefined): Variable {
  if (argument === undefined) {
    if (letter === 't') return { name: 'time', kind: 'clf' };
    const known = APACHE_NAMES[letter];
    if (!known) throw new FormatError(`%${letter} is no directive of Apache's LogFormat`);
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
    case 't':
      if (name === 'sec' || name === 'begin:sec') return { name: 'time', kind: 'seconds' };
      if (name === 'msec' || name === 'begin:msec') return { name: 'time', kind: 'milliseconds' };
      if (name === 'usec' || name === 'begin:usec') return { name: 'time', kind: 'microseconds' };
      return { name: 'time_text', kind: 'text' };
    case 'T':
      return { name: name === 's' ? 'duration' : `duration_${name}`, kind: 'number' };
    case 'a':
      return { name: 'peer', kind: 'text' };
    case 'p':
      return { name: `${name}_port`, kind: 'number' };
    case 'P':
      return { name, kind: name === 'pid' || name === 'tid' ? 'number' : 'text' };
    default:
      // Cookies, environment, notes, variables: the name alone says it.
      return { name, kind: 'text' };
  }
}

function split(
  source: string,
  pattern: RegExp,
  variable: (match: RegExpExecArray) => Variable | string,
): (Variable | string)[] {
  const parts: (Variable | string)[] = [];
  const literal = (text: string) => {
    if (text === '') return;
    if (typeof parts.at(-1) === 'string') parts.push(`${parts.pop()}${text}`);
    else parts.push(text);
  };
  let at = 0;
  for (const match of source.matchAll(pattern)) {
    literal(source.slice(at, match.index));
    const part = variable(match);
    if (typeof part === 'string') literal(part);
    else parts.push(part);
    at = match.index + match[0].length;
  }
  literal(source.slice(at));
  return parts;
}

function assemble(parts: readonly (Variable | string)[], escaping: Escape, text: string): LogFormat {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
  const prefix = typeof parts[0] === 'string' ? parts[0] : '';
  const taken = new Set<string>();
  const fields: LogField[] = [];
  parts.forEach((part, i) => {
    if (typeof part === 'string') return;
    const next = parts[i + 1];
    if (typeof next === 'object') {
      throw new FormatError(
        `${shown}: nothing stands between "${part.name}" and "${next.name}": put a separator`,
      );
    }
    let { name, kind } = part;
    if (taken.has(name)) {
      // Only one field is the event's time, only one the request.
      if (kind !== 'text') kind = TEXTUAL.has(kind) ? 'text' : 'number';
      const base = part.own ?? name;
      name = base;
      for (let n = 2; taken.has(name); n++) name = `${base}_${n}`;
    }
    taken.add(name);
    if (kind === 'request') for (const piece of ['method', 'path', 'protocol']) taken.add(piece);
    fields.push({ name, kind, list: part.list ?? false, literal: next ?? '' });
  });
  if (fields.length === 0) {
    throw new FormatError(
      `${shown} names no field: give a log_format with variables such as $remote_addr, or one of ` +
        `${Object.keys(escaping === 'apache' ? APACHE_FORMATS : NGINX_FORMATS).join(', ')}`,
    );
  }
  return { prefix, fields, escape: escaping };
}

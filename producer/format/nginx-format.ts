/** What nginx's `log_format` says: its variables, its two usual formats, and its directive as nginx.conf has it. */
import { FormatError } from './errors.ts';
import {
  assembleFormat,
  type Escape,
  type LogFormat,
  type Part,
  splitFormat,
  type Variable,
} from './log-format.ts';

const NGINX_FORMATS: Readonly<Record<string, string>> = {
  combined:
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"',
  main: '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
};

const NAMES: Readonly<Record<string, Variable>> = {
  remote_addr: { name: 'remote', kind: 'text', address: true },
  remote_user: { name: 'user', kind: 'text' },
  time_local: { name: 'time', kind: 'clf' },
  time_iso8601: { name: 'time', kind: 'iso' },
  msec: { name: 'time', kind: 'seconds' },
  request: { name: 'request', kind: 'request' },
  request_method: { name: 'method', kind: 'text' },
  request_uri: { name: 'path', kind: 'text', begins: '/' },
  uri: { name: 'uri', kind: 'text', begins: '/' },
  document_uri: { name: 'document_uri', kind: 'text', begins: '/' },
  server_protocol: { name: 'protocol', kind: 'text' },
  status: { name: 'code', kind: 'number' },
  body_bytes_sent: { name: 'size', kind: 'number' },
  http_referer: { name: 'referer', kind: 'text' },
  http_user_agent: { name: 'agent', kind: 'text' },
};

const NUMBERS =
  /^(bytes_sent|bytes_received|request_length|request_time|connection|connections_\w+|connection_requests|connection_time|content_length|gzip_ratio|remote_port|server_port|pid|session_time|upstream_(?:bytes_received|bytes_sent|connect_time|first_byte_time|header_time|queue_time|response_length|response_time|session_time|status)|tcpinfo_\w+)$/;
const LISTS = /^(upstream_\w+|http_x_forwarded_for|proxy_add_x_forwarded_for)$/;
/** Variables that nginx makes itself, or takes from a request only when they have no space in them. */
const SOLID =
  /^(remote_addr|remote_port|realip_remote_(?:addr|port)|server_(?:addr|name|port|protocol)|proxy_protocol_\w*(?:addr|port)|time_\w+|msec|request_(?:method|id|time|length|completion)|status|body_bytes_sent|bytes_\w+|connection\w*|pid|pipe|hostname|scheme|https|nginx_version|gzip_ratio|protocol|session_time|ssl_(?:protocol|cipher|session_reused|early_data)|tcpinfo_\w+|upstream_(?!http_|cookie_|trailer_)\w+)$/;
/** Values with colons of their own: `2001:db8::1`, `[::1]`. */
const ADDRESSES = /(?:^|_)addr$|^(?:host|server_name)$/;
/** What together is the request's URI, as `$request_uri` is, after decoding and rewriting. */
const DIVIDED_URI = /\$(?:uri|document_uri)(?:\$is_args|\?)\$(?:args|query_string)/g;

/**
 * Reads nginx's `log_format`: one of its names, the string itself, or the whole directive as in nginx.conf.
 *
 * @throws FormatError when fields cannot be separated or there are none
 */
export function parseNginxFormat(text: string): LogFormat {
  let source = NGINX_FORMATS[text] ?? text;
  let escaping: Escape = 'nginx';
  const directive = /^\s*(?:#[^\n]*\n\s*)*log_format\s+/.exec(source);
  if (directive) {
    const [, ...strings] = words(source.slice(directive[0].length), source);
    const option = /^escape=(\w+)$/.exec(strings[0] ?? '');
    if (option) {
      strings.shift();
      escaping = escapeOption(option[1]!);
    }
    source = strings.join('');
  } else {
    const option = /^\s*escape=(default|json|none)\s+/.exec(source);
    if (option) {
      source = source.slice(option[0].length);
      escaping = escapeOption(option[1]!);
    }
    if (/^\s*'/.test(source)) source = words(source, source).join('');
  }
  return assembleFormat(nginxParts(source), escaping, text, Object.keys(NGINX_FORMATS));
}

/** The parts of a format with `$variables`. */
export function nginxParts(source: string): Part[] {
  const whole = source.replace(DIVIDED_URI, '$$request_uri');
  return splitFormat(whole, /\$(?:\{(\w+)\}|(\w+))/g, (match) => nginxVariable(match[1] ?? match[2]!));
}

function escapeOption(option: string): Escape {
  if (option === 'json' || option === 'none') return option;
  if (option === 'default') return 'nginx';
  throw new FormatError(`escape=${option} is not known: nginx has default, json and none`);
}

/**
 * The words of a directive up to its semicolon, as nginx reads its configuration: quoted by either quote, or bare.
 * Those of a format are joined without anything between them.
 */
function words(text: string, whole: string): string[] {
  const found: string[] = [];
  const token = /\s+|#[^\n]*|;|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s;"'#][^\s;]*)/gsy;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    const column = whole.length - text.length + at + 1;
    if (!match) throw new FormatError(`a quote that begins at column ${column} is never closed`);
    if (match[0] === ';') {
      const rest = text
        .slice(token.lastIndex)
        .replace(/#[^\n]*/g, '')
        .trim();
      if (rest === '') break;
      throw new FormatError(`more follows the semicolon at column ${column}: give one log_format directive`);
    }
    const word = match[1] ?? match[2] ?? match[3];
    if (word !== undefined) found.push(word.replace(/\\(["'\\])/g, '$1').replaceAll('\\t', '\t'));
  }
  return found;
}

function nginxVariable(name: string): Variable {
  const solid = SOLID.test(name);
  const address = ADDRESSES.test(name);
  const known = NAMES[name];
  if (known) return { ...known, own: name, solid, address };
  return { name, kind: NUMBERS.test(name) ? 'number' : 'text', list: LISTS.test(name), solid, address };
}

/** What the pattern of Tomcat's AccessLogValve says: Apache's letters, of which some mean something else. */
import { parsePercentFormat } from './apache-format.ts';
import { FormatError } from './errors.ts';
import type { LogFormat, Variable } from './log-format.ts';

const FORMATS: Readonly<Record<string, string>> = {
  common: '%h %l %u %t "%r" %s %b',
  combined: '%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i"',
};

const solid = true;

const NAMES: Readonly<Record<string, Variable>> = {
  a: { name: 'remote', kind: 'text', solid, address: true },
  A: { name: 'local_address', kind: 'text', solid, address: true },
  b: { name: 'size', kind: 'number', solid },
  B: { name: 'size', kind: 'number', solid },
  // Microseconds since Tomcat 10.1, milliseconds before: the name does not say which.
  D: { name: 'duration_d', kind: 'number', solid },
  F: { name: 'commit_time_ms', kind: 'number', solid },
  h: { name: 'host', kind: 'text', solid, address: true },
  H: { name: 'protocol', kind: 'text', solid },
  I: { name: 'thread', kind: 'text' },
  l: { name: 'ident', kind: 'text' },
  L: { name: 'connection_id', kind: 'text', solid },
  m: { name: 'method', kind: 'text', solid },
  p: { name: 'port', kind: 'number', solid },
  q: { name: 'query', kind: 'text' },
  r: { name: 'request', kind: 'request' },
  s: { name: 'code', kind: 'number', solid },
  S: { name: 'session', kind: 'text', solid },
  T: { name: 'duration', kind: 'number', solid },
  u: { name: 'user', kind: 'text' },
  U: { name: 'path', kind: 'text', begins: '/' },
  v: { name: 'server_name', kind: 'text', solid, address: true },
  X: { name: 'connection_status', kind: 'text', solid },
};

/** Letters of Java's SimpleDateFormat that have a counterpart in strftime. */
const DATE_LETTERS: Readonly<Record<string, string>> = {
  yyyy: '%Y',
  yy: '%y',
  MMM: '%b',
  MM: '%m',
  dd: '%d',
  d: '%e',
  HH: '%H',
  hh: '%I',
  mm: '%M',
  ss: '%S',
  SSS: '%3N',
  a: '%p',
  Z: '%z',
  X: '%z',
  XX: '%z',
  XXX: '%z',
  z: '%Z',
  EEE: '%a',
};

/**
 * Reads the pattern of Tomcat's access log, by name or as server.xml has it.
 *
 * @throws FormatError for what Tomcat does not know, or fields with nothing between them
 */
export function parseTomcatFormat(text: string): LogFormat {
  const source = text.replaceAll('&quot;', '"');
  return parsePercentFormat(source, FORMATS, tomcatVariable, 'json');
}

function tomcatVariable(letter: string, argument: string | undefined): Variable {
  if (argument === undefined) {
    if (letter === 't') return { name: 'time', kind: 'clf', solid };
    const known = NAMES[letter];
    if (!known) throw new FormatError(`%${letter} is not in the pattern of Tomcat's AccessLogValve`);
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
      return { name: 'time', kind: 'strftime', timeFormat: timeFormat(argument), solid };
    case 'T':
      return { name: name === 's' ? 'duration' : `duration_${name}`, kind: 'number', solid };
    case 'a':
      return { name: 'peer', kind: 'text', solid, address: true };
    case 'p':
      return { name: `${name}_port`, kind: 'number', solid };
    case 'c':
    case 'r':
    case 's':
      return { name, kind: 'text' };
  }
  throw new FormatError(`%{${argument}}${letter} is not in the pattern of Tomcat's AccessLogValve`);
}

function timeFormat(argument: string): string {
  const format = argument.replace(/^(?:begin|end):/, '');
  const epoch = { sec: '%s', msec: '%Q', msec_frac: '%3N' }[format];
  if (epoch !== undefined) return epoch;
  return format.replace(/'([^']*)'|([A-Za-z])\2*/g, (letters, quoted?: string) => {
    if (quoted !== undefined) return quoted === '' ? "'" : quoted.replaceAll('%', '%%');
    const directive = DATE_LETTERS[letters];
    if (directive === undefined) throw new FormatError(`${letters} in %{${argument}}t is not supported`);
    return directive;
  });
}

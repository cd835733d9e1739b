/**
 * Patterns made of named ones, `%{IP:client} %{NUMBER:bytes:int}`, as Logstash's grok filter has them. The names are
 * Logstash's, the expressions our own.
 */
import { toRegExp } from 'oniguruma-to-es';
import { FormatError } from './errors.ts';
import { compileFinish, convert, type RecordOptions, setField } from './finish.ts';
import type { RecordParser } from './record.ts';

const PATTERNS: Readonly<Record<string, string>> = {
  USERNAME: '[a-zA-Z0-9._-]+',
  USER: '%{USERNAME}',
  EMAILLOCALPART: "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}",
  EMAILADDRESS: '%{EMAILLOCALPART}@%{HOSTNAME}',
  INT: '[+-]?\\d+',
  BASE10NUM: '[+-]?(?:\\d+(?:\\.\\d+)?|\\.\\d+)',
  NUMBER: '%{BASE10NUM}',
  BASE16NUM: '[+-]?(?:0x)?[0-9A-Fa-f]+',
  POSINT: '\\b[1-9]\\d*\\b',
  NONNEGINT: '\\b\\d+\\b',
  WORD: '\\b\\w+\\b',
  NOTSPACE: '\\S+',
  SPACE: '\\s*',
  DATA: '.*?',
  GREEDYDATA: '.*',
  QUOTEDSTRING: '(?:"(?:\\\\.|[^\\\\"])*"|\'(?:\\\\.|[^\\\\\'])*\')',
  QS: '%{QUOTEDSTRING}',
  UUID: '[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}',
  MAC: '(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}',
  IPV4: '(?<!\\d)(?:(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)(?!\\d)',
  IPV6: '(?:[0-9A-Fa-f]{0,4}:){2,7}(?:%{IPV4}|[0-9A-Fa-f]{0,4})(?:%[0-9A-Za-z]+)?',
  IP: '(?:%{IPV4}|%{IPV6})',
  HOSTNAME: '\\b[0-9A-Za-z][0-9A-Za-z_-]{0,62}(?:\\.[0-9A-Za-z][0-9A-Za-z_-]{0,62})*\\.?(?![0-9A-Za-z_-])',
  HOST: '%{HOSTNAME}',
  IPORHOST: '(?:%{IP}|%{HOSTNAME})',
  HOSTPORT: '%{IPORHOST}:%{POSINT}',
  UNIXPATH: '(?:/[^\\s/]*)+',
  PATH: '(?:%{UNIXPATH}|[A-Za-z]:(?:\\\\[^\\\\?*\\s]*)+)',
  URIPROTO: '[A-Za-z][A-Za-z0-9+.-]*',
  URIHOST: '%{IPORHOST}(?::%{POSINT})?',
  URIPATH: '(?:/[^\\s?#]*)+',
  URIPARAM: '\\?[^\\s#]*',
  URIPATHPARAM: '%{URIPATH}(?:%{URIPARAM})?',
  URI: '%{URIPROTO}://(?:[^\\s/@]*@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?',
  MONTH:
    '\\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\\b',
  MONTHNUM: '(?:0?[1-9]|1[0-2])',
  MONTHDAY: '(?:0[1-9]|[12]\\d|3[01]|[1-9])',
  DAY: '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*',
  YEAR: '\\d{4}|\\d{2}',
  HOUR: '(?:2[0-3]|[01]?\\d)',
  MINUTE: '[0-5]\\d',
  SECOND: '(?:[0-5]?\\d|60)(?:[:.,]\\d+)?',
  TIME: '%{HOUR}:%{MINUTE}(?::%{SECOND})?',
  TZ: '[A-Z]{3,4}',
  ISO8601_TIMEZONE: '(?:Z|[+-]%{HOUR}(?::?%{MINUTE})?)',
  DATE_US: '%{MONTHNUM}[/-]%{MONTHDAY}[/-](?:%{YEAR})',
  DATE_EU: '%{MONTHDAY}[./-]%{MONTHNUM}[./-](?:%{YEAR})',
  DATE: '(?:%{DATE_US}|%{DATE_EU})',
  DATESTAMP: '%{DATE}[- ]%{TIME}',
  TIMESTAMP_ISO8601:
    '\\d{4}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?(?: ?%{ISO8601_TIMEZONE})?',
  HTTPDATE: '%{MONTHDAY}/%{MONTH}/\\d{4}:%{TIME} [+-]\\d{4}',
  SYSLOGTIMESTAMP: '%{MONTH} +%{MONTHDAY} %{TIME}',
  PROG: '[\\x21-\\x5a\\x5c\\x5e-\\x7e]+',
  SYSLOGPROG: '%{PROG:program}(?:\\[%{POSINT:pid}\\])?',
  SYSLOGHOST: '%{IPORHOST}',
  SYSLOGBASE: '%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGHOST:logsource} )?%{SYSLOGPROG}:',
  LOGLEVEL:
    '(?:[Tt]race|TRACE|[Dd]ebug|DEBUG|[Ii]nfo(?:rmation)?|INFO(?:RMATION)?|[Nn]otice|NOTICE|[Ww]arn(?:ing)?|WARN(?:ING)?|[Ee]rr(?:or)?|ERR(?:OR)?|[Cc]rit(?:ical)?|CRIT(?:ICAL)?|[Ff]atal|FATAL|[Ss]evere|SEVERE|[Aa]lert|ALERT|[Ee]merg(?:ency)?|EMERG(?:ENCY)?)',
  COMMONAPACHELOG:
    '%{IPORHOST:clientip} %{NOTSPACE:ident} %{NOTSPACE:auth} \\[%{HTTPDATE:timestamp}\\] "(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" (?:%{INT:response}|-) (?:%{NUMBER:bytes}|-)',
  COMBINEDAPACHELOG: '%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}',
};

const TYPES = { int: 'integer', integer: 'integer', float: 'float', string: 'string' } as const;
type Type = (typeof TYPES)[keyof typeof TYPES];
const MAX_DEPTH = 20;

interface Group {
  readonly field: string;
  readonly type: Type;
}

export interface GrokOptions extends RecordOptions {
  readonly pattern: string | readonly string[];
  /** Patterns of the configuration's own, by name. */
  readonly patterns?: Readonly<Record<string, string>> | undefined;
}

/** @throws FormatError for a name that is not known, or what is not an expression */
export function grok(options: GrokOptions): RecordParser {
  const finish = compileFinish(options, 'time');
  const compiled = [options.pattern].flat().map((pattern) => compileGrok(pattern, options.patterns ?? {}));
  return (line, now) => {
    for (const { regexp, groups } of compiled) {
      const match = regexp.exec(line);
      if (!match) continue;
      const record: Record<string, unknown> = {};
      for (const [group, value] of Object.entries(match.groups ?? {})) {
        const { field, type } = groups.get(group) ?? { field: group, type: 'string' as const };
        if (value !== undefined) setField(record, field, convert(value, type));
      }
      return { record, time: finish(record, now) };
    }
    return null;
  };
}

function compileGrok(
  pattern: string,
  own: Readonly<Record<string, string>>,
): { readonly regexp: RegExp; readonly groups: ReadonlyMap<string, Group> } {
  const groups = new Map<string, Group>();
  const source = expand(pattern, own, groups, 0);
  if (groups.size === 0 && !/\(\?<[A-Za-z_]/.test(source)) {
    throw new FormatError(`${JSON.stringify(pattern)} names no field: write %{NAME:field}`);
  }
  try {
    return { regexp: toRegExp(source), groups };
  } catch (cause) {
    throw new FormatError(`is not a regular expression: ${(cause as Error).message}`, cause);
  }
}

function expand(
  pattern: string,
  own: Readonly<Record<string, string>>,
  groups: Map<string, Group>,
  depth: number,
): string {
  if (depth > MAX_DEPTH) throw new FormatError('patterns contain each other in a circle');
  return pattern.replace(/%\{([^}]*)\}/g, (whole, inner: string) => {
    const match = /^(\w+)(?::([^:]+)(?::(\w+))?)?$/.exec(inner);
    const [, name = '', field, type = 'string'] = match ?? [];
    const source = (Object.hasOwn(own, name) ? own[name] : undefined) ?? PATTERNS[name];
    if (!match || source === undefined) {
      throw new FormatError(`${whole} is not a known pattern: add it to patterns`);
    }
    if (!Object.hasOwn(TYPES, type)) {
      throw new FormatError(`${whole}: the type is one of ${Object.keys(TYPES).join(', ')}`);
    }
    const expanded = expand(source, own, groups, depth + 1);
    if (field === undefined) return `(?:${expanded})`;
    const group = `g${groups.size}`;
    // Logstash writes a field inside of an object as [object][field].
    const path = field.replace(/^\[|\]$/g, '').replaceAll('][', '.');
    groups.set(group, { field: path, type: TYPES[type as keyof typeof TYPES] });
    return `(?<${group}>${expanded})`;
  });
}

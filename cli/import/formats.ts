/** The format of a followed log: what other agents call a parser. */
import { multilineOf, multilineParser } from './multiline.ts';
import { rubyPattern } from './regexp.ts';
import type { Note, Section } from './section.ts';
import { timesOf } from './times.ts';

interface Missing {
  push(note: Note): unknown;
}

/** Names that mean the same here, by the names elsewhere. */
const SAME: Readonly<Record<string, string>> = {
  nginx: 'nginx',
  apache2: 'apache2',
  apache: 'apache2',
  apache_error: 'apache_error',
  json: 'json',
  ltsv: 'ltsv',
  logfmt: 'logfmt',
  csv: 'csv',
  tsv: 'tsv',
  none: 'none',
  docker: 'docker',
  cri: 'cri',
  'docker, cri': 'container',
  syslog: 'syslog',
  'syslog-rfc3164': 'syslog',
  'syslog-rfc3164-local': 'syslog',
  'syslog-rfc5424': 'syslog',
  envoy: 'envoy',
  'istio-envoy-proxy': 'envoy',
};

/** The groups of the expressions in Fluent Bit's own parsers.conf: what has no others is that parser. */
const STOCK: Readonly<Record<string, readonly string[]>> = {
  nginx: ['remote', 'host', 'user', 'time', 'method', 'path', 'code', 'size', 'referer', 'agent'],
  apache: ['host', 'user', 'time', 'method', 'path', 'code', 'size', 'referer', 'agent'],
  apache2: ['host', 'user', 'time', 'method', 'path', 'code', 'size', 'referer', 'agent'],
  apache_error: ['time', 'level', 'pid', 'client', 'message'],
  cri: ['time', 'stream', 'logtag', 'message', '_p', 'log'],
  'syslog-rfc3164': ['pri', 'time', 'host', 'ident', 'pid', 'message'],
  'syslog-rfc3164-local': ['pri', 'time', 'ident', 'pid', 'message'],
  'syslog-rfc5424': ['pri', 'time', 'host', 'ident', 'pid', 'msgid', 'extradata', 'message'],
};

/** Whether a parser that a configuration defines is the one that Fluent Bit brings along under its name. */
function isStock(parser: Section): boolean {
  const written = (key: string): string | undefined => parser.rest.find((each) => each.key === key)?.value;
  if (parser.type === 'docker') return written('format') === 'json';
  if (parser.type === 'json') return written('time_format') === '%d/%b/%Y:%H:%M:%S %z';
  const groups = STOCK[parser.type];
  const own = [...(written('regex') ?? '').matchAll(/\(\?<(\w+)>/g)].map(([, name]) => name!);
  return groups !== undefined && own.length > 0 && own.every((name) => groups.includes(name));
}

type Format = string | Record<string, unknown>;

/** The types of values that have one here, by their names elsewhere. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'integer',
  int: 'integer',
  float: 'float',
  bool: 'bool',
  time: 'time',
};

/**
 * The keys `format` and `multiline` of an input.
 *
 * @param parsers those that the same configuration defines
 */
export function formatOf(
  input: Section,
  parsers: readonly Section[],
  missing: Missing,
): { readonly format: Format; readonly multiline?: Readonly<Record<string, string>> } {
  const firstLine = input.take('parser_firstline');
  if (firstLine !== undefined) return byFirstLine(firstLine, input, parsers, missing);
  const { format, holder } = parserFormat(input, parsers, missing);
  const multiline = multilineOf(input, holder, missing) ?? multilineParser(input, parsers, missing);
  return multiline === null ? { format } : { format, multiline };
}

/** Fluent Bit's older way, `Multiline On`: a parser whose expression matches the first line, and whose last group takes the others. */
function byFirstLine(
  name: string,
  input: Section,
  parsers: readonly Section[],
  missing: Missing,
): { readonly format: Format; readonly multiline?: Readonly<Record<string, string>> } {
  const flush = input.take('multiline_flush');
  input.take('multiline');
  const { format, holder } = definedFormat(name, input, parsers, missing);
  const expression = typeof format === 'object' ? format['expression'] : undefined;
  if (typeof expression !== 'string') return { format };
  const first = expression.replaceAll(/^\/|\/[imx]*$/g, '');
  const start = rubyPattern(first);
  const whole = { ...(format as object), expression: `/${first.replaceAll(/(?<!\\)\//g, '\\/')}/m` };
  if (start === null) {
    missing.push({
      line: holder.line,
      text: `${first}: this expression has no counterpart: set multiline by hand`,
    });
    return { format: whole };
  }
  return {
    format: whole,
    multiline: {
      start,
      ...(flush === undefined ? {} : { flush_interval: `${flush}s` }),
    },
  };
}

/** @param parsers those that the same configuration defines */
export function parserFormat(
  input: Section,
  parsers: readonly Section[],
  missing: Missing,
): { readonly format: Format; readonly holder: Section } {
  const nested = input.child('parse');
  const parser = nested ? undefined : parserOf(input, missing);
  const own = nested ? undefined : (takeContainers(input) ?? parser);
  return definedFormat(own, input, parsers, missing, nested);
}

/** The name of an input's parser. Fluent Bit does not apply it to what a multiline parser has joined. */
function parserOf(input: Section, missing: Missing): string | undefined {
  const joins =
    input.role === 'input' &&
    input.dialect === 'fluent-bit' &&
    input.rest.some(({ key }) => key === 'multiline.parser');
  const name = input.take('format', 'parser');
  if (!joins || name === undefined) return name;
  missing.push({
    line: input.line,
    text: `parser ${name}: Fluent Bit does not apply it with multiline.parser either: set format, or inner of a container's, to have it parsed`,
  });
  return undefined;
}

/** Fluent Bit's multiline parsers of containers' lines, which are formats here; others stay to be taken. */
function takeContainers(input: Section): string | undefined {
  const named = input.rest.find(({ key }) => key === 'multiline.parser')?.value.toLowerCase();
  return named !== undefined && /^\s*(docker|cri)(\s*,\s*(docker|cri))?\s*$/.test(named)
    ? input
        .take('multiline.parser')!
        .replace(/\s*,\s*/, ', ')
        .replace('cri, docker', 'docker, cri')
    : undefined;
}

/** @param own the name of a format, or of a parser that the same configuration defines */
function definedFormat(
  own: string | undefined,
  input: Section,
  parsers: readonly Section[],
  missing: Missing,
  nested?: Section,
): { readonly format: Format; readonly holder: Section } {
  const name = own?.toLowerCase();
  const defined = parsers.find((parser) => parser.role === 'parser' && parser.type === name);
  const holder = nested ?? (defined === undefined || isStock(defined) ? input : defined);
  const named = nested ? nested.take('@type') : holder === input ? own : holder.take('format');
  const type = named?.toLowerCase() ?? 'none';
  const more = timesOf(holder, input, SAME[type] ?? type, missing);
  ignore(holder, type);
  const types = typesOf(holder, missing);
  if (Object.keys(types).length > 0) more['types'] = types;
  const lines = holder.takeAll(...Array.from({ length: 20 }, (_, i) => `format${i + 1}`));
  if (type === 'multiline' && lines.length > 0) {
    // fluentd joins them to one expression, in which a dot is a line feed too.
    const joined = lines.map(({ value }) => value.replaceAll(/^\/|\/$/g, '')).join('');
    return { format: { type: 'regexp', expression: `/${joined}/m`, ...more }, holder };
  }
  const expression = holder.take('expression', 'regex') ?? (type.startsWith('/') ? named : undefined);
  if (expression !== undefined) return { format: { type: 'regexp', expression, ...more }, holder };
  const columns = type === 'csv' || type === 'tsv' ? holder.take('keys', 'columns') : undefined;
  if (columns !== undefined)
    return { format: { type, columns: columns.split(',').map((name) => name.trim()), ...more }, holder };
  const same = SAME[type];
  if (same === undefined) {
    missing.push({
      line: holder.line,
      text: `parser ${named}: lines are kept as text until you name a format`,
    });
    return { format: 'none', holder };
  }
  return {
    format: Object.keys(more).length === 0 || same === 'none' ? same : { type: same, ...more },
    holder,
  };
}

/** What the formats here do in any case. */
function ignore(holder: Section, type: string): void {
  // A syslog line is taken with and without a priority, and of either RFC.
  if (type === 'syslog') holder.takeAll('with_priority', 'message_format', 'parser_engine', 'parser_type');
  // Empty values are kept.
  const skips = holder.rest.find(({ key }) => key === 'skip_empty_values')?.value ?? '';
  if (/^(false|off|no)$/i.test(skips)) holder.take('skip_empty_values');
}

/** `code:integer,size:integer`, or a JSON object of them, in fluentd; `code:integer size:integer` in Fluent Bit. */
function typesOf(holder: Section, missing: Missing): Record<string, string> {
  const types: Record<string, string> = {};
  for (const { value, line } of holder.takeAll('types')) {
    for (const part of value
      .replaceAll(/[{}"]/g, '')
      .split(/[\s,]+/)
      .filter(Boolean)) {
      const [field = '', type = ''] = part.split(':');
      const same = TYPES[type];
      if (same === undefined || part.split(':').length > 2) missing.push({ line, text: `types ${part}` });
      else types[field] = same;
    }
  }
  return types;
}

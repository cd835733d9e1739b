/** The format of a followed log: what other agents call a parser. */
import type { Section } from './section.ts';

interface Missing {
  push(note: { line: number; text: string }): unknown;
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
  'docker, cri': 'cri',
  syslog: 'syslog',
  'syslog-rfc3164': 'syslog',
  'syslog-rfc5424': 'syslog',
};

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
): { readonly format: Format; readonly multiline?: Record<string, string> } {
  const { format, holder } = parserFormat(input, parsers, missing);
  const start = holder.take('format_firstline', 'multiline.start_pattern');
  if (start === undefined) return { format };
  holder.take('multiline.mode', 'multiline.condition_pattern');
  return { format, multiline: { start } };
}

/** @param parsers those that the same configuration defines */
export function parserFormat(
  input: Section,
  parsers: readonly Section[],
  missing: Missing,
): { readonly format: Format; readonly holder: Section } {
  const nested = input.child('parse');
  const own = nested ? undefined : input.take('format', 'parser', 'multiline.parser');
  const holder = nested ?? parsers.find((parser) => parser.type === own?.toLowerCase()) ?? input;
  const named = nested ? nested.take('@type') : holder === input ? own : holder.take('format');
  const type = named?.toLowerCase() ?? 'none';
  const more: Record<string, unknown> = {};
  const timeKey = holder.take('time_key');
  const timeFormat = holder.take('time_format');
  const timezone = holder.take('timezone', 'time_offset');
  if (timeKey !== undefined) more['time_key'] = timeKey;
  if (timeFormat !== undefined) more['time_format'] = timeFormat;
  if (timezone !== undefined) more['timezone'] = timezone;
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

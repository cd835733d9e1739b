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

/** @param parsers those that the same configuration defines */
export function formatOf(
  input: Section,
  parsers: readonly Section[],
  missing: Missing,
): string | Record<string, string | string[]> {
  const nested = input.child('parse');
  const own = nested ? undefined : input.take('format', 'parser', 'multiline.parser');
  const holder = nested ?? parsers.find((parser) => parser.type === own?.toLowerCase()) ?? input;
  const named = nested ? nested.take('@type') : holder === input ? own : holder.take('format');
  const type = named?.toLowerCase() ?? 'none';
  const timed: Record<string, string> = {};
  const timeKey = holder.take('time_key');
  const timeFormat = holder.take('time_format');
  if (timeKey !== undefined) timed['time_key'] = timeKey;
  if (timeFormat !== undefined) timed['time_format'] = timeFormat;
  const expression = holder.take('expression', 'regex') ?? (type.startsWith('/') ? named : undefined);
  if (expression !== undefined) return { type: 'regexp', expression, ...timed };
  const columns = type === 'csv' || type === 'tsv' ? holder.take('keys', 'columns') : undefined;
  if (columns !== undefined)
    return { type, columns: columns.split(',').map((name) => name.trim()), ...timed };
  const same = SAME[type];
  if (same === undefined) {
    missing.push({
      line: holder.line,
      text: `parser ${named}: lines are kept as text until you name a format`,
    });
    return 'none';
  }
  return Object.keys(timed).length === 0 || same === 'none' ? same : { type: same, ...timed };
}

/** Delimited text: csv and tsv, with their columns configured or in a header line, and the extended log format of W3C. */
import { addField, compileFinish, type RecordOptions } from './finish.ts';
import type { ParsedRecord, RecordParser } from './record.ts';

export interface DelimitedOptions extends RecordOptions {
  readonly delimiter?: string | undefined;
  /** Names of the columns; without them the first line of a file has them. */
  readonly columns?: readonly string[] | undefined;
  /** What a line that is not an event begins with. */
  readonly comment?: string | undefined;
}

/** A line that is not an event: a header or a comment. */
const HEADER: ParsedRecord = { record: {}, time: null, header: true };

/**
 * @param head the first lines of the file, for a header that was read before the agent started
 */
export function delimited(options: DelimitedOptions, head: readonly string[] = []): RecordParser {
  const { delimiter = ',', comment } = options;
  const finish = compileFinish(options, 'time');
  const first = comment === undefined ? head[0] : head.find((line) => !line.startsWith(comment));
  const header = options.columns === undefined ? first : undefined;
  let columns = options.columns ?? (header === undefined ? null : splitValues(header, delimiter));
  return (line, now) => {
    if (comment !== undefined && line.startsWith(comment)) return HEADER;
    if (line === header) return HEADER;
    const values = splitValues(line, delimiter);
    if (values === null) return null;
    if (columns === null) {
      columns = values;
      return HEADER;
    }
    if (values.length !== columns.length) return null;
    const record: Record<string, unknown> = {};
    for (let i = 0; i < columns.length; i++) {
      if (columns[i] !== '' && columns[i] !== '-') addField(record, columns[i]!, values[i]);
    }
    return { record, time: finish(record, now) };
  };
}

/**
 * The values of a line: those in double quotes hold delimiters, and quotes as two or behind a backslash. Null when a
 * quote is never closed, or something stands between its end and the delimiter.
 */
function splitValues(line: string, delimiter: string): string[] | null {
  const values: string[] = [];
  for (let at = 0; ; ) {
    if (line[at] === '"') {
      let value = '';
      let i = at + 1;
      for (; ; i++) {
        if (i >= line.length) return null;
        if (line[i] === '"' && line[i + 1] === '"') value += line[i++];
        else if (line[i] === '\\' && (line[i + 1] === '"' || line[i + 1] === '\\')) value += line[++i];
        else if (line[i] === '"') break;
        else value += line[i];
      }
      values.push(value);
      at = i + 1;
      if (at === line.length) return values;
      if (!line.startsWith(delimiter, at)) return null;
      at += delimiter.length;
    } else {
      const end = line.indexOf(delimiter, at);
      values.push(line.slice(at, end < 0 ? line.length : end));
      if (end < 0) return values;
      at = end + delimiter.length;
    }
  }
}

/** Names of the extended log format, as IIS and CloudFront write them, that have a field's usual name. */
const W3C_NAMES: Readonly<Record<string, string>> = {
  'c-ip': 'remote',
  'cs-username': 'user',
  'cs-method': 'method',
  'cs-uri-stem': 'path',
  'cs-uri-query': 'query',
  'cs-version': 'protocol',
  'cs-protocol-version': 'protocol',
  'sc-status': 'code',
  'sc-bytes': 'size',
  'cs(user-agent)': 'agent',
  'cs(referer)': 'referer',
};
const W3C_NUMBERS =
  /^(?:sc-(?:status|substatus|win32-status|bytes|content-len)|cs-bytes|[cs]-port|time-taken|time-to-first-byte)$/;
const FIELDS = '#Fields:';

/**
 * The extended log format of W3C: `#Fields:` names the columns, which blanks or tabs separate.
 *
 * @param encoding how values are escaped: IIS writes + for a blank, CloudFront percent signs
 */
export function w3c(
  options: RecordOptions,
  encoding: 'iis' | 'cloudfront',
  head: readonly string[] = [],
): RecordParser {
  const finish = compileFinish({ timezone: 'UTC', ...options }, 'time');
  let columns: readonly string[] | null = null;
  const readHeader = (line: string): void => {
    if (line.startsWith(FIELDS)) columns = line.slice(FIELDS.length).trim().split(/\s+/);
  };
  for (const line of head) readHeader(line);
  return (line, now) => {
    if (line.startsWith('#')) {
      readHeader(line);
      return HEADER;
    }
    const values = line.split(line.includes('\t') ? '\t' : ' ');
    if (columns === null || values.length !== columns.length) return null;
    const record: Record<string, unknown> = {};
    const times: Record<string, string> = {};
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      const value = values[i]!;
      if (column === 'date' || column === 'time') times[column] = value;
      else if (value !== '-') addField(record, nameOf(column), decodeValue(column, value, encoding));
    }
    if (times['date'] !== undefined && times['time'] !== undefined) {
      record['time'] = `${times['date']} ${times['time']}`;
    } else if (times['time'] !== undefined) record['time_of_day'] = times['time'];
    const query = record['query'];
    if (typeof query === 'string' && typeof record['path'] === 'string') {
      record['path'] = `${record['path']}?${query}`;
      delete record['query'];
    }
    return { record, time: finish(record, now) };
  };
}

function nameOf(column: string): string {
  const lower = column.toLowerCase();
  const known = W3C_NAMES[lower];
  if (known !== undefined) return known;
  const header = /^cs\((.*)\)$/.exec(lower);
  return header
    ? `http_${header[1]!.replaceAll('-', '_')}`
    : lower.replace(/[^a-z0-9]+/g, '_').replace(/_$/, '');
}

function decodeValue(column: string, value: string, encoding: 'iis' | 'cloudfront'): unknown {
  if (W3C_NUMBERS.test(column) && /^-?\d{1,15}(?:\.\d+)?$/.test(value)) return Number(value);
  if (encoding === 'iis') return /^cs\(/i.test(column) ? value.replaceAll('+', ' ') : value;
  if (column === 'cs-uri-stem' || column === 'cs-uri-query') return value;
  return decodePercent(value);
}

function decodePercent(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** The columns of an Application Load Balancer's access log, in AWS's order. */
const ALB_COLUMNS =
  'type time elb client target request_processing_time target_processing_time response_processing_time code target_status_code received_bytes size request agent ssl_cipher ssl_protocol target_group_arn trace_id domain_name chosen_cert_arn matched_rule_priority request_creation_time actions_executed redirect_url error_reason target_list target_status_code_list classification classification_reason conn_trace_id'.split(
    ' ',
  );
const ALB_LEAST = 25;
const ALB_NUMBERS = /^(?:code|size|\w+_time|received_bytes|\w+_code|matched_rule_priority)$/;

/** Access logs of an Application Load Balancer: blanks between values, of which some are in quotes. */
export function alb(options: RecordOptions): RecordParser {
  const finish = compileFinish(options, 'time');
  return (line, now) => {
    const values = splitValues(line, ' ');
    if (values === null || values.length < ALB_LEAST) return null;
    const record: Record<string, unknown> = {};
    values.slice(0, ALB_COLUMNS.length).forEach((value, i) => {
      const name = ALB_COLUMNS[i]!;
      if (value === '-') return;
      const number = ALB_NUMBERS.test(name) && /^-?\d{1,15}(?:\.\d+)?$/.test(value);
      if (name === 'client') splitAddress(record, 'remote', value);
      else if (name === 'target') splitAddress(record, 'target', value);
      else if (name === 'request') splitAlbRequest(record, value);
      else record[name] = number ? Number(value) : value;
    });
    const time = finish(record, now);
    return time === null ? null : { record, time };
  };
}

function splitAddress(record: Record<string, unknown>, name: string, value: string): void {
  const match = /^(.*):(\d+)$/.exec(value);
  record[name] = match?.[1] ?? value;
  if (match) record[`${name}_port`] = Number(match[2]);
}

/** `GET https://host:443/path HTTP/1.1`; each part is `-` where the request was not one. */
function splitAlbRequest(record: Record<string, unknown>, request: string): void {
  const match = /^(\S+) (.*) (\S+) ?$/.exec(request);
  if (!match) record['request'] = request;
  else {
    for (const [i, name] of ['method', 'path', 'protocol'].entries()) {
      const value = match[i + 1]!;
      if (value !== '-') record[name] = value;
    }
  }
}

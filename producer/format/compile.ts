/** Compiles a format's options into its parser. */
import { AccessLogParser } from './access-log.ts';
import { AccessLogRecords } from './access-log-record.ts';
import { parseApacheFormat, parseLighttpdFormat } from './apache-format.ts';
import { ContainerParser, containerGrouping, type Grouping, isContainerFormat } from './container.ts';
import { alb, delimited, w3c } from './delimited.ts';
import { apacheError, nginxError } from './error-logs.ts';
import { compileFinish, finished, type RecordOptions } from './finish.ts';
import { FirstFitting } from './first-fitting.ts';
import { grok } from './grok.ts';
import { JsonParser, parseExact } from './json.ts';
import type { LogFormat } from './log-format.ts';
import { logfmt } from './logfmt.ts';
import { nested } from './nested.ts';
import { parseNginxFormat } from './nginx-format.ts';
import { NoneParser } from './none.ts';
import type { AccessLogOptions, FormatOptions } from './options.ts';
import type { LineParser, Target } from './parser.ts';
import { compileExpression } from './patterns.ts';
import { preset } from './presets.ts';
import { RecordLineParser, type RecordParser } from './record.ts';
import { ltsv, regexp } from './records.ts';
import { syslog } from './syslog.ts';
import { compileTimeFormat } from './time-format.ts';
import { parseTomcatFormat } from './tomcat-format.ts';
import type { Transform } from './transform.ts';

/** What is known of the file that lines are from. */
export interface LogFile {
  readonly path: string;
  /** Its first lines, for formats that name their columns there. */
  readonly head: readonly string[];
}

const NO_FILE: LogFile = { path: '', head: [] };

/**
 * @param target where the events of one source go: parsers of different sources share nothing
 * @param file where {@link needsFile} says so
 * @throws FormatError when the options contradict themselves
 */
export function compileFormat(
  options: FormatOptions,
  target: Target,
  transform: Transform,
  file: LogFile = NO_FILE,
): LineParser {
  if (options.type !== 'none' && isContainerFormat(options.type)) {
    const inner = options.inner === undefined ? null : compileRecords(options.inner, target, transform, file);
    return new ContainerParser(options.type, options, inner, target, transform, file.path);
  }
  if (isAccessLog(options)) {
    if (options.inner === undefined) return accessLog(options, target, transform);
  } else if (options.type === 'none') {
    const rule = transform.rule('message');
    const unseen = rule.plain && rule.name === 'message' && transform.inclusions === 0;
    if (unseen) return new NoneParser(target, transform.added);
  } else if (options.type === 'json' || options.type === 'caddy') {
    if (options.types === undefined && options.inner === undefined) {
      const { time_key = options.type === 'caddy' ? 'ts' : 'time', time_format, timezone } = options;
      const parseTime = compileTimeFormat(time_format, timezone);
      const isoFirst = time_format === undefined || time_format === 'iso8601';
      return new JsonParser({ timeKey: time_key, parseTime, isoFirst }, target, transform);
    }
  }
  return new RecordLineParser(compileRecords(options, target, transform, file), target, transform);
}

/** The parser of text that an input itself has taken out of something, such as the message of a journal's entry. */
export function compileInner(options: FormatOptions, target: Target, transform: Transform): RecordParser {
  return compileRecords(options, target, transform, NO_FILE);
}

/** The formats that name their columns in a file's first lines. */
const PER_FILE: ReadonlySet<string> = new Set(['iis', 'w3c', 'cloudfront', 'csv', 'tsv']);

/** Whether a parser of the format is of one file alone: it needs the file's path or its first lines. */
export function needsFile(options: FormatOptions): boolean {
  if (options.type === 'none') return false;
  if (options.inner !== undefined && needsFile(options.inner)) return true;
  return isContainerFormat(options.type) || PER_FILE.has(options.type);
}

/** Whether an event of the format can be of several lines; null when each line is one. */
export function groupingOf(options: FormatOptions): Grouping | null {
  return isContainerFormat(options.type) ? containerGrouping(options.type) : null;
}

/** The parser of a format that makes an object of each line, with the format inside of it. */
function compileRecords(
  options: FormatOptions,
  target: Target,
  transform: Transform,
  file: LogFile,
): RecordParser {
  const outer = compileOuter(options, target, transform, file);
  if (options.type === 'none' || options.inner === undefined) return outer;
  const field = options.inner_field ?? 'message';
  return nested(outer, field, compileRecords(options.inner, target, transform, file));
}

function compileOuter(
  options: FormatOptions,
  target: Target,
  transform: Transform,
  { head }: LogFile,
): RecordParser {
  switch (options.type) {
    case 'none':
      return (line, now) => ({ record: { message: line }, time: now });
    case 'nginx':
    case 'apache2':
    case 'varnish':
    case 'lighttpd':
    case 'tomcat': {
      const records = formatsOf(options).map((format) => recordsOf(format, options, target, transform));
      return (line) => {
        for (const each of records) {
          const parsed = each.record(line);
          if (parsed !== null) return parsed;
        }
        return null;
      };
    }
    case 'json':
      return jsonRecords(options, 'time');
    case 'caddy':
      return jsonRecords(options, 'ts');
    case 'traefik': {
      const text = preset('traefik', options);
      const object = jsonRecords(options, 'StartUTC');
      return (line, now) => (line.startsWith('{') ? object(line, now) : text(line, now));
    }
    case 'haproxy':
    case 'envoy':
    case 'squid':
      return preset(options.type, options);
    case 'iis':
    case 'w3c':
      return w3c(options, 'iis', head);
    case 'cloudfront':
      return w3c(options, 'cloudfront', head);
    case 'alb':
      return alb(options);
    case 'csv':
      return delimited(options, head);
    case 'tsv':
      return delimited({ delimiter: '\t', ...options }, head);
    case 'ltsv':
      return ltsv(options);
    case 'logfmt':
      return logfmt(options);
    case 'grok':
      return grok(options);
    case 'regexp':
      return regexp(compileExpression(options.expression), options);
    case 'syslog':
      return finished(syslog(options.rfc ?? 'auto', options.timezone), options);
    case 'nginx_error':
      return finished(nginxError(options.timezone), options);
    case 'apache_error':
      return finished(apacheError(options.timezone), options);
    case 'docker':
    case 'cri':
    case 'container':
      throw new Error('containers hold other formats and are not held by one');
  }
}

function jsonRecords(options: RecordOptions, timeKey: string): RecordParser {
  const finish = compileFinish({ keep_time_key: true, ...options }, timeKey);
  return (line, now) => {
    let value: unknown;
    try {
      value = parseExact(line);
    } catch {
      return null;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    const record = value as Record<string, unknown>;
    return { record, time: finish(record, now) };
  };
}

interface Server {
  readonly parse: (text: string) => LogFormat;
  /** The formats that it has by default. */
  readonly usual: readonly string[];
  /** Of these, the one whose lines begin with a host and a port, and could pass for another's. */
  readonly hostFirst?: string;
}

const SERVERS: Readonly<Record<AccessLogOptions['type'], Server>> = {
  nginx: { parse: parseNginxFormat, usual: ['combined', 'main'] },
  apache2: {
    parse: parseApacheFormat,
    usual: ['combined', 'common', 'vhost_combined'],
    hostFirst: 'vhost_combined',
  },
  varnish: { parse: parseApacheFormat, usual: ['combined'] },
  lighttpd: { parse: parseLighttpdFormat, usual: ['default'] },
  tomcat: { parse: parseTomcatFormat, usual: ['combined', 'common'] },
};

function isAccessLog(options: FormatOptions): options is AccessLogOptions {
  return Object.hasOwn(SERVERS, options.type);
}

/** The format that is configured, or those that the server has by default. */
function formatsOf({ type, log_format }: AccessLogOptions): readonly LogFormat[] {
  const { parse, usual } = SERVERS[type];
  return (log_format === undefined ? usual : [log_format]).map(parse);
}

function recordsOf(
  format: LogFormat,
  options: RecordOptions,
  target: Target,
  transform: Transform,
): AccessLogRecords {
  const finish = compileFinish(options, undefined);
  return new AccessLogRecords(format, target, transform, options.timezone, (fields, time, now) =>
    finish(fields, now, time),
  );
}

function accessLog(options: AccessLogOptions, target: Target, transform: Transform): LineParser {
  const { types, time_key, timezone } = options;
  const numbers = Object.values(types ?? {}).every((type) => type !== 'time' && type !== 'bool');
  const parsers = formatsOf(options).map((format) => {
    if (time_key !== undefined || !numbers) return recordsOf(format, options, target, transform);
    const fields = format.fields.map((field) => {
      const type = types?.[field.name];
      if (type === undefined || (field.kind !== 'text' && field.kind !== 'number')) return field;
      return { ...field, kind: type === 'string' ? 'text' : 'number' } as const;
    });
    return new AccessLogParser({ ...format, fields }, target, transform, timezone);
  });
  const [only] = parsers;
  if (parsers.length === 1 && only instanceof AccessLogParser) return only;
  const { usual, hostFirst } = SERVERS[options.type];
  const hosts = options.log_format === undefined && hostFirst !== undefined ? usual.indexOf(hostFirst) : -1;
  return new FirstFitting(parsers, target, transform, parsers[hosts]);
}

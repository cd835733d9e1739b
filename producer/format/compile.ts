/** Compiles a format's options into its parser. */
import { AccessLogParser } from './access-log.ts';
import { AccessLogRecords } from './access-log-record.ts';
import { parseApacheFormat } from './apache-format.ts';
import { apacheError, nginxError } from './error-logs.ts';
import { compileFinish, finished, type RecordOptions } from './finish.ts';
import { FirstFitting } from './first-fitting.ts';
import { JsonParser, parseExact } from './json.ts';
import type { LogFormat } from './log-format.ts';
import { parseNginxFormat } from './nginx-format.ts';
import { NoneParser } from './none.ts';
import type { FormatOptions } from './options.ts';
import type { LineParser, Target } from './parser.ts';
import { compileExpression } from './patterns.ts';
import { RecordLineParser, type RecordParser } from './record.ts';
import { ltsv, regexp } from './records.ts';
import { syslog } from './syslog.ts';
import { compileTimeFormat } from './time-format.ts';
import type { Transform } from './transform.ts';

/**
 * @param target where the events of one source go: parsers of different sources share nothing
 * @throws FormatError when the options contradict themselves
 */
export function compileFormat(options: FormatOptions, target: Target, transform: Transform): LineParser {
  switch (options.type) {
    case 'nginx':
      return accessLog(
        formatsOf(options.log_format, parseNginxFormat, ['combined', 'main']),
        options,
        target,
        transform,
      );
    case 'apache2':
      return accessLog(
        formatsOf(options.log_format, parseApacheFormat, ['combined', 'common']),
        options,
        target,
        transform,
      );
    case 'none': {
      const rule = transform.rule('message');
      const unseen = rule.plain && rule.name === 'message' && transform.inclusions === 0;
      if (unseen) return new NoneParser(target, transform.added);
      break;
    }
    case 'json':
      if (options.types !== undefined) break;
      return new JsonParser(
        {
          timeKey: options.time_key ?? 'time',
          parseTime: compileTimeFormat(options.time_format, options.timezone),
          isoFirst: options.time_format === undefined || options.time_format === 'iso8601',
        },
        target,
        transform,
      );
  }
  return new RecordLineParser(compileRecords(options), target, transform);
}

/** The parser of a format that makes an object of each line. */
function compileRecords(options: Exclude<FormatOptions, { type: 'nginx' | 'apache2' }>): RecordParser {
  switch (options.type) {
    case 'none':
      return (line, now) => ({ record: { message: line }, time: now });
    case 'json':
      return jsonRecords(options);
    case 'ltsv':
      return ltsv(options);
    case 'regexp':
      return regexp(compileExpression(options.expression), options);
    case 'syslog':
      return finished(syslog(options.rfc ?? 'auto', options.timezone), options);
    case 'nginx_error':
      return finished(nginxError(options.timezone), options);
    case 'apache_error':
      return finished(apacheError(options.timezone), options);
  }
}

function jsonRecords(options: RecordOptions): RecordParser {
  const finish = compileFinish({ keep_time_key: true, ...options }, 'time');
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

/** The format that is configured, or those that the server has by default. */
function formatsOf(
  configured: string | undefined,
  parse: (text: string) => LogFormat,
  usual: readonly string[],
): readonly LogFormat[] {
  return configured === undefined ? usual.map(parse) : [parse(configured)];
}

function accessLog(
  formats: readonly LogFormat[],
  options: RecordOptions,
  target: Target,
  transform: Transform,
): LineParser {
  const { types, time_key, timezone } = options;
  const numbers = Object.values(types ?? {}).every((type) => type !== 'time' && type !== 'bool');
  const parsers = formats.map((format) => {
    if (time_key !== undefined || !numbers) {
      const finish = compileFinish(options, undefined);
      return new AccessLogRecords(format, target, transform, timezone, (fields, time, now) =>
        finish(fields, now, time),
      );
    }
    const fields = format.fields.map((field) => {
      const type = types?.[field.name];
      if (type === undefined || (field.kind !== 'text' && field.kind !== 'number')) return field;
      return { ...field, kind: type === 'string' ? 'text' : 'number' } as const;
    });
    return new AccessLogParser({ ...format, fields }, target, transform, timezone);
  });
  const [only] = parsers;
  if (parsers.length === 1 && only instanceof AccessLogParser) return only;
  return new FirstFitting(parsers, target, transform);
}

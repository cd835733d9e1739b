/** Compiles a format's options into its parser. */
import { AccessLogParser } from './access-log.ts';
import { parseApacheFormat } from './apache-format.ts';
import { FirstFitting } from './first-fitting.ts';
import { JsonParser } from './json.ts';
import type { LogFormat } from './log-format.ts';
import { parseNginxFormat } from './nginx-format.ts';
import { NoneParser } from './none.ts';
import { compileExpression, type FormatOptions } from './options.ts';
import type { LineParser, Target } from './parser.ts';
import { RecordLineParser, type RecordParser } from './record.ts';
import { apacheError, type FieldType, ltsv, nginxError, regexp, syslog } from './records.ts';
import { compileTimeFormat } from './time-format.ts';
import type { Transform } from './transform.ts';

/**
 * @param target where the events of one source go: parsers of different sources share nothing
 * @throws FormatError when the options contradict themselves
 */
export function compileFormat(options: FormatOptions, target: Target, transform: Transform): LineParser {
  const record = (parse: RecordParser) => new RecordLineParser(parse, target, transform);
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
      return unseen ? new NoneParser(target, transform.added) : record(whole);
    }
    case 'json':
      return new JsonParser(
        {
          timeKey: options.time_key ?? 'time',
          parseTime: compileTimeFormat(options.time_format, options.timezone),
          isoFirst: options.time_format === undefined || options.time_format === 'iso8601',
        },
        target,
        transform,
      );
    case 'ltsv':
      return record(ltsv(options));
    case 'regexp':
      return record(regexp(compileExpression(options.expression), options));
    case 'syslog':
      return record(syslog(options.rfc ?? 'auto', options.timezone));
    case 'nginx_error':
      return record(nginxError(options.timezone));
    case 'apache_error':
      return record(apacheError(options.timezone));
  }
}

const whole: RecordParser = (line, now) => ({ record: { message: line }, time: now });

/** The format that is configured, or those that the server has by default. */
function formatsOf(
  configured: string | undefined,
  parse: (text: string) => LogFormat,
  usual: readonly string[],
): readonly LogFormat[] {
  return configured === undefined ? usual.map(parse) : [parse(configured)];
}

interface AccessLogOptions {
  readonly types?: Readonly<Record<string, FieldType>> | undefined;
}

function accessLog(
  formats: readonly LogFormat[],
  { types }: AccessLogOptions,
  target: Target,
  transform: Transform,
): LineParser {
  const parsers = formats.map((format) => {
    const fields = format.fields.map((field) => {
      const type = types?.[field.name];
      if (type === undefined || (field.kind !== 'text' && field.kind !== 'number')) return field;
      return { ...field, kind: type === 'string' ? 'text' : 'number' } as const;
    });
    return new AccessLogParser({ ...format, fields }, target, transform);
  });
  return parsers.length === 1 ? parsers[0]! : new FirstFitting(parsers, target, transform);
}

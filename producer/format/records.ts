/** The formats that make an object per line: ltsv, syslog, the error logs, and regular expressions. */
import { timeText } from './clock.ts';
import type { ParsedRecord, RecordParser } from './record.ts';
import { compileTimeFormat, type TimeParser } from './time-format.ts';

export type FieldType = 'string' | 'integer' | 'float' | 'bool';

export interface RecordOptions {
  readonly time_key?: string | undefined;
  readonly time_format?: string | undefined;
  readonly timezone?: string | undefined;
  readonly keep_time_key?: boolean | undefined;
  readonly types?: Readonly<Record<string, FieldType>> | undefined;
}

/** A value as its type; one that is not of it stays a string. */
function convert(value: string, type: FieldType): unknown {
  switch (type) {
    case 'integer': {
      const number = /^[+-]?\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
      return Number.isSafeInteger(number) ? number : value;
    }
    case 'float': {
      const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) ? Number(value) : Number.NaN;
      return Number.isFinite(number) ? number : value;
    }
    case 'bool':
      if (/^(?:true|yes|1)$/i.test(value)) return true;
      return /^(?:false|no|0)$/i.test(value) ? false : value;
    case 'string':
      return value;
  }
}

/** Gives an event its types and its time: the field of the time becomes `time`, in RFC 3339. */
function finish(
  fields: Record<string, unknown>,
  options: RecordOptions,
  parseTime: TimeParser,
  now: number,
): ParsedRecord {
  const key = options.time_key ?? 'time';
  let time: number | null = null;
  const text = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (typeof text === 'string') {
    const parsed = parseTime(text, now);
    if (parsed >= 0 && parsed < MAX_TIME) time = parsed;
  }
  for (const [name, type] of Object.entries(options.types ?? {})) {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (typeof value === 'string' && !(name === key && time !== null)) fields[name] = convert(value, type);
  }
  if (time === null) return { record: fields, time };
  if (key !== 'time' && options.keep_time_key !== true) delete fields[key];
  fields.time = timeText(Math.floor(time));
  return { record: fields, time };
}

/** Year 10000: RFC 3339 ends before it. */
const MAX_TIME = 253_402_300_800_000;

function set(fields: Record<string, unknown>, name: string, value: unknown): void {
  // Not an assignment: `__proto__` is a name like any other here.
  Object.defineProperty(fields, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Labeled tab-separated values (ltsv.org): `label:value` with tabs between. */
export function ltsv(options: RecordOptions): RecordParser {
  const parseTime = compileTimeFormat(options.time_format, options.timezone);
  return (line, now) => {
    const fields: Record<string, unknown> = {};
    for (const part of line.split('\t')) {
      const colon = part.indexOf(':');
      if (colon <= 0) {
        if (part === '') continue;
        return null;
      }
      set(fields, part.slice(0, colon), part.slice(colon + 1));
    }
    return Object.keys(fields).length === 0 ? null : finish(fields, options, parseTime, now);
  };
}

/** Named groups are the fields. */
export function regexp(expression: RegExp, options: RecordOptions): RecordParser {
  const parseTime = compileTimeFormat(options.time_format, options.timezone);
  return (line, now) => {
    const match = expression.exec(line);
    if (!match) return null;
    const fields: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(match.groups ?? {})) {
      if (value !== undefined) set(fields, name, value);
    }
    return finish(fields, options, parseTime, now);
  };
}

const FACILITIES =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );
const SEVERITIES = 'emerg alert crit err warning notice info debug'.split(' ');
const RFC5424 =
  /^<(\d{1,3})>([1-9]\d{0,2}) (-|\S{1,48}) (-|\S{1,255}) (-|\S{1,48}) (-|\S{1,128}) (-|\S{1,32}) (-|(?:\[[^ =\]"]+(?: [^ =\]"]+="(?:[^"\\\]]|\\.)*")*\])+)(?: (.*))?$/s;
const RFC3164 =
  /^(?:<(\d{1,3})>)?([A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}(?:\.\d+)?|\d{4}-\d{2}-\d{2}T\S+) (\S+) ([^\s:[]{1,128})(?:\[(\d+)\])?:? ?(.*)$/s;
const SD_ELEMENT = /\[([^ =\]"]+)((?: [^ =\]"]+="(?:[^"\\\]]|\\.)*")*)\]/g;
const SD_PARAMETER = / ([^ =\]"]+)="((?:[^"\\\]]|\\.)*)"/g;

/** Syslog as files hold it: RFC 3164, with or without its priority, and RFC 5424. */
export function syslog(rfc: '3164' | '5424' | 'auto', timezone: string | undefined): RecordParser {
  const parseIso = compileTimeFormat('iso8601', timezone);
  const parseOld = compileTimeFormat('%b %d %H:%M:%S', timezone);
  const parseOldFraction = compileTimeFormat('%b %d %H:%M:%S.%N', timezone);
  return (line, now) => {
    const recent = rfc === '3164' ? null : RFC5424.exec(line);
    if (recent) {
      const [, pri, , stamp, host, ident, pid, msgid, data, message] = recent;
      const time = stamp === '-' ? null : parseIso(stamp!, now);
      if (Number(pri) > 191 || Number.isNaN(time)) return null;
      const fields: Record<string, unknown> = priority(pri!);
      if (time !== null) fields.time = timeText(time);
      for (const [name, value] of Object.entries({ host, ident, pid, msgid })) {
        if (value !== '-') fields[name] = value;
      }
      if (data !== '-') fields.structured_data = structured(data!);
      fields.message = (message ?? '').replace(/^\ufeff/, '');
      return { record: fields, time };
    }
    const old = rfc === '5424' ? null : RFC3164.exec(line);
    if (!old) return null;
    const [, pri, stamp, host, ident, pid, message] = old;
    const parse = /^\d/.test(stamp!) ? parseIso : stamp!.includes('.') ? parseOldFraction : parseOld;
    const time = parse(stamp!, now);
    if (Number(pri ?? 0) > 191 || !(time >= 0)) return null;
    const fields: Record<string, unknown> = pri === undefined ? {} : priority(pri);
    Object.assign(fields, { time: timeText(time), host, ident });
    if (pid !== undefined) fields.pid = pid;
    fields.message = message;
    return { record: fields, time };
  };
}

function priority(text: string): Record<string, unknown> {
  const pri = Number(text);
  return { pri, facility: FACILITIES[pri >> 3], severity: SEVERITIES[pri & 7] };
}

function structured(data: string): Record<string, unknown> {
  const elements: Record<string, unknown> = {};
  for (const [, id, parameters] of data.matchAll(SD_ELEMENT)) {
    const values: Record<string, unknown> = {};
    for (const [, name, value] of parameters!.matchAll(SD_PARAMETER)) {
      set(values, name!, value!.replace(/\\(["\\\]])/g, '$1'));
    }
    set(elements, id!, values);
  }
  return elements;
}

const NGINX_ERROR = /^(\d{4}\/\d{2}\/\d{2} \d{2}:\d{2}:\d{2}) \[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?(.*)$/s;
/** What nginx appends to the message: these two first. */
const NGINX_ENDS = /^(.*?)(?:, client: ([^,]*))?(?:, server: ([^,]*))?$/s;
/** Then the request, then these in this order, each where it is known and in quotes. */
const NGINX_QUOTED = ['subrequest', 'upstream', 'host', 'referrer'] as const;

/**
 * Takes apart what nginx appends, from its end. Requests stand there as they came, quotes and all: by a regular
 * expression for the whole, who sends one could have it tried for seconds.
 */
function nginxContext(text: string): Record<string, string> {
  const quoted: [string, string][] = [];
  let rest = text;
  for (const name of NGINX_QUOTED.toReversed()) {
    const before = `, ${name}: "`;
    const at = rest.endsWith('"') ? rest.lastIndexOf(before) : -1;
    const value = rest.slice(at + before.length, -1);
    if (at < 0 || value.includes('"')) continue;
    quoted.unshift([name, value]);
    rest = rest.slice(0, at);
  }
  const before = ', request: "';
  const at = rest.indexOf(before);
  if (at >= 0) {
    // nginx cuts its lines at 2048 bytes, inside a long request as a rule.
    const end = rest.endsWith('"') ? rest.length - 1 : rest.length;
    quoted.unshift(['request', rest.slice(at + before.length, end)]);
    rest = rest.slice(0, at);
  }
  const [, message, client = '', server = ''] = NGINX_ENDS.exec(rest)!;
  const fields = Object.entries({ client, server, ...Object.fromEntries(quoted) });
  return { message: message!, ...Object.fromEntries(fields.filter(([, value]) => value !== '')) };
}

export function nginxError(timezone: string | undefined): RecordParser {
  const parseTime = compileTimeFormat('%Y/%m/%d %H:%M:%S', timezone);
  return (line, now) => {
    const match = NGINX_ERROR.exec(line);
    if (!match) return null;
    const [, stamp, level, pid, tid, connection, rest] = match;
    const time = parseTime(stamp!, now);
    if (!(time >= 0)) return null;
    const fields: Record<string, unknown> = {
      time: timeText(time),
      level,
      pid: Number(pid),
      tid: Number(tid),
    };
    if (connection !== undefined) fields.connection = convert(connection, 'integer');
    Object.assign(fields, nginxContext(rest!));
    return { record: fields, time };
  };
}

const APACHE_ERROR =
  /^\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}(?:\.\d{1,9})? \d{4})\] \[(?:([^:\]]*):)?(\w+)\](?: \[pid (\d+)(?::tid (\d+))?\])?(?: +(\S+\(\d+\)):)?(?: (\(\d+\)[^:[]*):)?(?: \[(?:client|remote) ([^\]]*)\])? ?(.*)$/s;
const APACHE_MESSAGE =
  /^(?:(\(\d+\)[^:]*): )?(?:\[client ([^\]]*)\] )?(?:(AH\d{5}): )?(.*?)(?:, referer: (\S+))?$/s;

export function apacheError(timezone: string | undefined): RecordParser {
  const parseTime = compileTimeFormat('%a %b %d %H:%M:%S %Y', timezone);
  const parseFraction = compileTimeFormat('%a %b %d %H:%M:%S.%N %Y', timezone);
  return (line, now) => {
    const match = APACHE_ERROR.exec(line);
    if (!match) return null;
    const [, stamp, module, level, pid, tid, source, cause, client, rest] = match;
    const time = (stamp!.includes('.') ? parseFraction : parseTime)(stamp!, now);
    if (!(time >= 0)) return null;
    const inner = APACHE_MESSAGE.exec(rest!)!;
    const fields: Record<string, unknown> = { time: timeText(time) };
    if (module) fields.module = module;
    fields.level = level;
    if (pid !== undefined) fields.pid = Number(pid);
    if (tid !== undefined) fields.tid = convert(tid, 'integer');
    const values = {
      source,
      cause: cause ?? inner[1],
      client: client ?? inner[2],
      code: inner[3],
      message: inner[4],
      referer: inner[5],
    };
    for (const [name, value] of Object.entries(values)) if (value !== undefined) fields[name] = value;
    return { record: fields, time };
  };
}

/** Formats of proxies, each as the program that has it writes it by default; docs/formats.md names their sources. */

import { requestParts, splitRequest } from './access-log-values.ts';
import { compileFinish, type Finish, type RecordOptions, setField } from './finish.ts';
import type { ParsedRecord, RecordParser } from './record.ts';

interface Preset {
  readonly expressions: readonly RegExp[];
  /** Fields that are numbers where they look like one. */
  readonly numbers: readonly string[];
  readonly decode?: ((value: string) => string) | undefined;
  /** Values whose quotes the program does not escape: two neighbours, of which a client can move the border. */
  readonly loose?: readonly string[] | undefined;
}

const ADDRESS = String.raw`(?<remote>\S+):(?<remote_port>\d+)`;
const CLF = String.raw`\[(?<time>\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]`;
/** What a syslog daemon puts before a message in a file, or nothing. */
const SYSLOG = String.raw`^(?:<\d+>)?(?:(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) (?:\S+ )?\S+?\[(?<pid>\d+)\]: )?`;
const HAPROXY_TIME = String.raw`\[(?<time>\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d\.\d{3})\]`;
const CONNECTIONS = String.raw`(?<actconn>\d+)\/(?<feconn>\d+)\/(?<beconn>\d+)\/(?<srv_conn>\d+)\/(?<retries>\+?\d+) (?<srv_queue>\d+)\/(?<backend_queue>\d+)`;

const HAPROXY: Preset = {
  expressions: [
    `${SYSLOG}${ADDRESS} ${HAPROXY_TIME} (?<frontend>\\S+) (?<backend>[^ \\/]+)\\/(?<server>\\S+) (?<time_request>-?\\d+)\\/(?<time_queue>-?\\d+)\\/(?<time_connect>-?\\d+)\\/(?<time_response>-?\\d+)\\/(?<time_total>\\+?\\d+) (?<code>-?\\d+) (?<size>\\+?\\d+) (?<captured_request_cookie>\\S+) (?<captured_response_cookie>\\S+) (?<termination_state>\\S{4}) ${CONNECTIONS}(?: \\{(?<captured_request_headers>[^}]*)\\})?(?: \\{(?<captured_response_headers>[^}]*)\\})? "(?<request>[^"]*)"?(?: (?<tls>\\S.*))?$`,
    `${SYSLOG}${ADDRESS} ${HAPROXY_TIME} (?<frontend>\\S+) (?<backend>[^ \\/]+)\\/(?<server>\\S+) (?<time_queue>-?\\d+)\\/(?<time_connect>-?\\d+)\\/(?<time_total>\\+?\\d+) (?<size>\\+?\\d+) (?<termination_state>\\S\\S) ${CONNECTIONS}$`,
    `${SYSLOG}(?<remote>\\S+) - - ${CLF} "(?<request>[^"]*)" (?<code>-?\\d+) (?<size>\\d+) "(?<captured_request_cookie>[^"]*)" "(?<captured_response_cookie>[^"]*)" (?<remote_port>\\d+) (?<time_ms>\\d+) "(?<frontend>[^"]*)" "(?<backend>[^"]*)" "(?<server>[^"]*)" (?<time_request>-?\\d+) (?<time_queue>-?\\d+) (?<time_connect>-?\\d+) (?<time_response>-?\\d+) (?<time_total>\\+?\\d+) (?<termination_state>\\S{4}) (?<actconn>\\d+) (?<feconn>\\d+) (?<beconn>\\d+) (?<srv_conn>\\d+) (?<retries>\\+?\\d+) (?<srv_queue>\\d+) (?<backend_queue>\\d+)(?<captured_headers>(?: "[^"]*")*) ?$`,
    `${SYSLOG}${ADDRESS} ${HAPROXY_TIME} (?<frontend>[^ :]+): (?<message>.*)$`,
    `${SYSLOG}Connect from ${ADDRESS} to (?<local_address>\\S+):(?<local_port>\\d+) \\((?<frontend>[^\\/]+)\\/(?<mode>\\w+)\\)$`,
  ].map((source) => new RegExp(source, 's')),
  numbers: [
    'remote_port local_port pid code size actconn feconn beconn srv_conn retries srv_queue backend_queue',
    'time_request time_queue time_connect time_response time_total',
  ].flatMap((names) => names.split(' ')),
  // HAProxy writes what could end a value as # and two hex digits.
  decode: (value) => decodeBytes(value, /#([0-9A-F]{2})/g),
};

const ENVOY: Preset = {
  expressions: [
    /^\[(?<time>[^\]]+)\] "(?<request>\S+ \S+ \S+)" (?<code>\d+|-) (?<response_flags>\S+) (?:(?<response_code_details>\S+) (?<connection_termination_details>\S+) "(?<upstream_transport_failure_reason>[^"]*)" )?(?<bytes_received>\d+|-) (?<size>\d+|-) (?<duration_ms>\d+|-) (?<upstream_service_time_ms>\S+) "(?<http_x_forwarded_for>[^"]*)" "(?<agent>.*)" "(?<request_id>[^"]*)" "(?<authority>[^"]*)" "(?<upstream>[^"]*)"(?: (?<upstream_cluster>\S+) (?<upstream_local_address>\S+) (?<downstream_local_address>\S+) (?<remote>\S+) (?<server_name>\S+) (?<route_name>\S+))?$/s,
  ],
  numbers: ['code', 'bytes_received', 'size', 'duration_ms', 'upstream_service_time_ms'],
  loose: ['http_x_forwarded_for', 'agent'],
};

const TRAEFIK: Preset = {
  expressions: [
    new RegExp(
      `^(?<remote>\\S+) - (?<user>.*?) ${CLF} "(?<request>\\S+ \\S+ \\S+)" (?<code>\\d+|-) (?<size>\\d+|-) (?:-|"(?<referer>(?:[^"]|\\\\")*)") (?:-|"(?<agent>.*)")(?: (?<request_count>\\d+|-) (?:-|"(?<router>[^"]*)") (?:-|"(?<service_url>[^"]*)") (?<duration_ms>\\d+)ms)?$`,
      's',
    ),
  ],
  numbers: ['code', 'size', 'request_count', 'duration_ms'],
  decode: (value) => value.replaceAll('\\"', '"'),
  loose: ['referer', 'agent'],
};

const SQUID: Preset = {
  expressions: [
    /^(?<time>\d+\.\d{3}) +(?<duration_ms>-?\d+) (?<remote>\S+) (?<cache_result>[^\s/]+)\/(?<code>\d{3}) (?<size>\d+) (?<method>\S+) (?<path>.*) (?<user>\S+) (?<hierarchy>[^\s/]+)\/(?<peer>\S+) (?<content_type>\S+)$/s,
    new RegExp(
      `^(?<remote>\\S+) (?<ident>\\S+) (?<user>.*?) ${CLF} "(?<quoted>.*) (?<cache_result>\\w+):(?<hierarchy>\\w+)$`,
      's',
    ),
  ],
  numbers: ['code', 'size', 'duration_ms'],
  loose: ['request', 'referer', 'agent'],
};

const PRESETS = { haproxy: HAPROXY, envoy: ENVOY, traefik: TRAEFIK, squid: SQUID } as const;
export type PresetName = keyof typeof PRESETS;

export function preset(name: PresetName, options: RecordOptions): RecordParser {
  const { expressions, numbers, decode, loose } = PRESETS[name] as Preset;
  const finish = compileFinish(options, 'time');
  const types = new Set(numbers);
  return (line, now) => {
    for (const expression of expressions) {
      const groups = fieldsOf(expression, line);
      if (groups === null) continue;
      const record: Record<string, unknown> = {};
      for (const [field, raw] of Object.entries(groups)) {
        if (raw === undefined || raw === '-' || (raw === '' && field !== 'message')) continue;
        if (field === 'request') continue;
        const number = types.has(field) && /^\+?-?\d{1,15}$/.test(raw);
        setField(record, field, number ? Number(raw) : (decode?.(raw) ?? raw));
      }
      return finishPreset(record, groups, { decode, loose }, finish, now);
    }
    return null;
  };
}

/** What an expression finds in a line; null when it does not match. */
function fieldsOf(expression: RegExp, line: string): Record<string, string | undefined> | null {
  const groups = expression.exec(line)?.groups;
  if (groups === undefined) return null;
  const { quoted, ...fields } = groups;
  if (quoted === undefined) return fields;
  const parts = splitQuoted(quoted);
  return parts === null ? null : { ...fields, ...parts };
}

/**
 * Takes `request" code size "referer" "agent"` apart, in which no quote of a value is escaped. Not by an expression: a
 * client can send many of what stands between the values, and each would be tried with each other.
 */
function splitQuoted(text: string): Record<string, string | undefined> | null {
  const numbers = /" (\d+) (\d+)(?= "|$)/.exec(text);
  if (!numbers) return null;
  const [between, code, size] = numbers;
  const request = text.slice(0, numbers.index);
  const headers = text.slice(numbers.index + between.length);
  if (headers === '') return { request, code, size };
  if (!headers.startsWith(' "') || !headers.endsWith('"') || headers.length < 3) return null;
  const values = headers.slice(2, -1);
  const border = values.indexOf('" "');
  const referer = border < 0 ? values : values.slice(0, border);
  const agent = border < 0 ? undefined : values.slice(border + 3);
  return { request, code, size, referer, agent };
}

function finishPreset(
  record: Record<string, unknown>,
  groups: Readonly<Record<string, string | undefined>>,
  { decode, loose = [] }: Pick<Preset, 'decode' | 'loose'>,
  finish: Finish,
  now: number,
): ParsedRecord {
  const { request, time_ms } = groups;
  if (time_ms !== undefined) {
    // HAProxy's CLF has the milliseconds of its time elsewhere.
    record['time'] = String(record['time']).replace(' ', `.${time_ms} `);
    delete record['time_ms'];
  }
  const names = request === undefined ? [] : setRequest(record, decode?.(request) ?? request);
  // A quote inside of a value: what it began or ended may have been another's.
  const shifted = loose.some((name) => groups[name]?.replaceAll('\\"', '').includes('"'));
  const doubtful = shifted ? [...loose, ...names] : [];
  return { record, time: finish(record, now), shifted: doubtful };
}

/** Writes a request line as its parts, or whole, and returns the names of what it wrote. */
function setRequest(record: Record<string, unknown>, request: string): readonly string[] {
  const bytes = Buffer.from(request);
  if (!splitRequest(bytes, 0, bytes.length)) {
    if (request !== '-') record['request'] = request;
    return ['request'];
  }
  const { methodEnd, pathFrom, pathTo, protocolFrom } = requestParts;
  const parts = {
    method: bytes.toString('utf8', 0, methodEnd),
    path: bytes.toString('utf8', pathFrom, pathTo),
    protocol: bytes.toString('utf8', protocolFrom),
  };
  for (const [name, value] of Object.entries(parts)) if (value !== '' && value !== '-') record[name] = value;
  return Object.keys(parts);
}

/** Undoes escapes of single bytes, which may be those of UTF-8. */
function decodeBytes(value: string, escaped: RegExp): string {
  if (!escaped.test(value)) return value;
  escaped.lastIndex = 0;
  const bytes = Buffer.from(value).toString('latin1');
  const decoded = bytes.replace(escaped, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(decoded, 'latin1').toString('utf8');
}

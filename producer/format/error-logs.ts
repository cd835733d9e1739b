/** The error logs of nginx (http, stream and mail) and of Apache. */
import { timeText } from './clock.ts';
import { convert } from './finish.ts';
import type { RecordParser } from './record.ts';
import { compileTimeFormat } from './time-format.ts';

const NGINX_ERROR = /^(\d{4}\/\d{2}\/\d{2} \d{2}:\d{2}:\d{2}) \[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?(.*)$/s;
/** What nginx appends to the message: these two first. */
const NGINX_ENDS = /^(.*?)(?:,(?: udp)? client: ([^,]*))?(?:, server: ([^,]*))?$/s;
/** Then the request, then these in this order, each where it is known and in quotes. */
const NGINX_QUOTED = ['subrequest', 'login', 'upstream', 'host', 'referrer'] as const;
/** What the stream module appends behind all of them. */
const NGINX_BYTES = /, bytes from\/to client:(\d+)\/(\d+), bytes from\/to upstream:(\d+)\/(\d+)$/;
const NGINX_BYTES_FIELDS = [
  'bytes_from_client',
  'bytes_to_client',
  'bytes_from_upstream',
  'bytes_to_upstream',
];

/**
 * Takes apart what nginx appends, from its end. Requests are in it as they came, quotes and all: with one regular
 * expression for the whole, a client could make it run for seconds.
 */
function nginxContext(text: string): Record<string, unknown> {
  const quoted: [string, string][] = [];
  const bytes = NGINX_BYTES.exec(text);
  let rest = bytes === null ? text : text.slice(0, bytes.index);
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
  const counts = bytes === null ? [] : NGINX_BYTES_FIELDS.map((name, i) => [name, Number(bytes[i + 1])]);
  const known = fields.filter(([, value]) => value !== '');
  return { message: message!, ...Object.fromEntries(known), ...Object.fromEntries(counts) };
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

/** Syslog as files hold it: RFC 5424, and RFC 3164 in the forms that daemons write. */
import { timeText } from './clock.ts';
import { addField } from './finish.ts';
import type { RecordParser } from './record.ts';
import { compileTimeFormat } from './time-format.ts';

export const FACILITIES =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );
export const SEVERITIES = 'emerg alert crit err warning notice info debug'.split(' ');
/** Longer names than the RFC's are taken too: container runtimes make them. */
const RFC5424 =
  /^<(\d{1,3})>([1-9]\d{0,2}) (-|\S{1,48}) (-|\S{1,512}) (-|\S{1,512}) (-|\S{1,512}) (-|\S{1,512}) (-|(?:\[[^ =\]"]+(?: [^ =\]"]+="(?:[^"\\\]]|\\.)*")*\])+)(?: (.*))?$/s;
/** With a year before or behind the clock, and a colon, where network devices write them. */
const RFC3164 =
  /^(?:<(\d{1,3})>)?([A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d{2}:\d{2}:\d{2}(?:\.\d+)?(?: (?:19|20)\d{2}(?=:? ))?|\d{4}-\d{2}-\d{2}T\S+?):? (.*)$/s;
/** The host, which what is written to a local socket does not have, then the program with a colon behind it. */
const ORIGIN =
  /^(?:([^\s[\]:]+|\S{0,255}:\S{0,255}[^:\s]) )?([^\s:[\]]{1,128})(?:\[([^\]\s]{0,64})\])?:(?: |$)(.*)$/s;
const ORIGIN_WITHOUT_COLON = /^(\S+) ([^\s:[]{1,128})(?:\[(\d+)\])?:? ?(.*)$/s;
const SD_ELEMENT = /\[([^ =\]"]+)((?: [^ =\]"]+="(?:[^"\\\]]|\\.)*")*)\]/g;
const SD_PARAMETER = / ([^ =\]"]+)="((?:[^"\\\]]|\\.)*)"/g;

/** Syslog as files hold it: RFC 3164, with or without its priority, and RFC 5424. */
export function syslog(rfc: '3164' | '5424' | 'auto', timezone: string | undefined): RecordParser {
  const parseIso = compileTimeFormat('iso8601', timezone);
  const oldFormats = [
    '%b %d %T',
    '%b %d %T.%N',
    '%b %d %Y %T',
    '%b %d %Y %T.%N',
    '%b %d %T %Y',
    '%b %d %T.%N %Y',
  ];
  const parseOlds = oldFormats.map((format) => compileTimeFormat(format, timezone));
  const parseOld = (stamp: string, now: number): number => {
    const year = /^.{7}\d{4} /.test(stamp) ? 2 : / \d{4}$/.test(stamp) ? 4 : 0;
    return parseOlds[year + (stamp.includes('.') ? 1 : 0)]!(stamp, now);
  };
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
    const [, pri, stamp, rest] = old;
    const origin = ORIGIN.exec(rest!) ?? ORIGIN_WITHOUT_COLON.exec(rest!);
    if (!origin) return null;
    const [, host, ident, pid, message] = origin;
    const parse = /^\d/.test(stamp!) ? parseIso : parseOld;
    const time = parse(stamp!, now);
    if (Number(pri ?? 0) > 191 || !(time >= 0)) return null;
    const fields: Record<string, unknown> = pri === undefined ? {} : priority(pri);
    fields.time = timeText(time);
    for (const [name, value] of Object.entries({ host, ident, pid, message })) {
      if (value !== undefined) fields[name] = value;
    }
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
      addField(values, name!, value!.replace(/\\(["\\\]])/g, '$1'));
    }
    addField(elements, id!, values);
  }
  return elements;
}

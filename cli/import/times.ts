/** How a format reads times: what other agents call `time_key`, `time_format`, `time_type`, `timezone` and the like. */
import { FormatError } from '../../producer/format/errors.ts';
import { compileTimeFormat } from '../../producer/format/time-format.ts';
import type { Note, Section } from './section.ts';

const ON = /^(true|on|yes)$/i;
const OFF = /^(false|off|no)$/i;
/** What Fluent Bit reads of an ISO time may end before the time does, whose zone is then behind it. */
const ISO = /^%(?:Y-%m-%d|F)[T ]%(?:H:%M:%S|T)(?:[.,]%[LN])?(?:%z|Z)?$/;
/** Directives that say in which zone a time is. */
const ZONED = /%[zZs]|Z$/;
/** Times that the log's own format never gives a zone. */
const ZONELESS = ['syslog'];

/**
 * The keys `time_key`, `time_format`, `timezone` and `keep_time_key`.
 *
 * @param holder the section that has those of the other agent
 * @param type the format's type here
 */
export function timesOf(
  holder: Section,
  { dialect }: Section,
  type: string,
  missing: { push(note: Note): unknown },
): Record<string, unknown> {
  const key = holder.take('time_key');
  const written = holder.take('time_format');
  const kind = holder.take('time_type')?.toLowerCase();
  const named = holder.take('timezone', 'time_offset');
  const utc = holder.take('utc') ?? '';
  const local = holder.take('localtime', 'time_system_timezone') ?? '';
  const keeps = holder.take('keep_time_key', 'time_keep');
  if (kind === 'mixed')
    missing.push({ line: holder.line, text: 'time_type mixed: times are taken for what they look like' });
  const format = kind === 'unixtime' || kind === 'float' ? 'unix' : formatOf(written, holder, missing);
  const isUtc =
    dialect === 'fluentd'
      ? ON.test(utc) || OFF.test(local)
      : dialect === 'fluent-bit' && !ON.test(local) && isZoneless(written, type);
  const timezone = named ?? (isUtc ? 'UTC' : undefined);
  return {
    ...(key === undefined ? {} : { time_key: key }),
    ...(format === undefined ? {} : { time_format: format }),
    ...(timezone === undefined ? {} : { timezone }),
    // In JSON it is kept anyway.
    ...(ON.test(keeps ?? '') && type !== 'json' ? { keep_time_key: true } : {}),
  };
}

/** Fluent Bit takes a time without a zone for UTC, and tailrace for that of the host. */
function isZoneless(format: string | undefined, type: string): boolean {
  return format === undefined ? ZONELESS.includes(type) : !ZONED.test(format);
}

function formatOf(
  written: string | undefined,
  { dialect, line }: Section,
  missing: { push(note: Note): unknown },
): string | undefined {
  if (written === undefined) return undefined;
  if (written === '%iso8601' || (dialect === 'fluent-bit' && ISO.test(written))) return 'iso8601';
  try {
    compileTimeFormat(written, 'UTC');
    return written;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    missing.push({ line, text: `time_format ${written}: times are taken for what they look like` });
    return undefined;
  }
}

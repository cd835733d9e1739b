/** An entry of the journal as `journalctl -o json` writes it (systemd.journal-fields(7)), as an event. */
import { timeText } from '../format/clock.ts';
import type { ParsedRecord, RecordParser } from '../format/record.ts';
import { FACILITIES, SEVERITIES } from '../format/syslog.ts';

export interface JournalEntry extends ParsedRecord {
  /** Where the entry is in the journal. */
  readonly cursor: string;
}

/** The journal's names, and those of events. */
const USUAL: Readonly<Record<string, string>> = {
  _HOSTNAME: 'host',
  SYSLOG_IDENTIFIER: 'ident',
  _PID: 'pid',
  _SYSTEMD_UNIT: 'unit',
};

/**
 * @param all whether fields besides the usual ones are kept
 * @returns reads one line; null when it is not an entry
 */
export function compileEntry(all: boolean): (line: string) => JournalEntry | null {
  return (line) => {
    let entry: Record<string, unknown>;
    try {
      entry = JSON.parse(line) as Record<string, unknown>;
    } catch {
      return null;
    }
    const cursor = entry['__CURSOR'];
    if (typeof cursor !== 'string') return null;
    const micros = Number(entry['__REALTIME_TIMESTAMP']);
    const time = micros > 0 ? Math.floor(micros / 1000) : null;
    const record: Record<string, unknown> = {};
    if (time !== null) record['time'] = timeText(time);
    for (const [field, name] of Object.entries(USUAL)) {
      if (entry[field] !== undefined) record[name] = textOf(entry[field]);
    }
    const severity = SEVERITIES[Number(entry['PRIORITY'])];
    const facility = FACILITIES[Number(entry['SYSLOG_FACILITY'])];
    if (facility !== undefined) record['facility'] = facility;
    if (severity !== undefined) record['severity'] = severity;
    if (all) {
      for (const [field, value] of Object.entries(entry)) {
        if (field.startsWith('__') || field === 'MESSAGE' || USUAL[field] !== undefined) continue;
        record[field.replace(/^_/, '').toLowerCase()] = textOf(value);
      }
    }
    record['message'] = textOf(entry['MESSAGE']);
    return { record, time, cursor };
  };
}

/** A field is text, bytes as numbers when it is not UTF-8, a list of these when it occurs several times, or null. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  if (value.every((item) => typeof item === 'number')) return Buffer.from(value as number[]).toString('utf8');
  return value.map(textOf).join('\n');
}

/** Takes the message apart by a format of its own. */
export function withMessage(entry: JournalEntry, format: RecordParser, now: number): JournalEntry {
  const message = String(entry.record['message']);
  const inner = format(message, now);
  if (inner === null) return { ...entry, unparsed: 'message' };
  const { message: _, ...record } = entry.record;
  const time = inner.time ?? entry.time;
  Object.assign(record, inner.record, time === null ? {} : { time: timeText(time) });
  return { ...inner, record, time, cursor: entry.cursor };
}

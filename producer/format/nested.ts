/** A format inside of another one's field, such as JSON in syslog or an access log in a container's: its fields are the event's. */
import { setField } from './finish.ts';
import type { RecordParser } from './record.ts';

export function nested(outer: RecordParser, field: string, inner: RecordParser): RecordParser {
  return (line, now) => {
    const parsed = outer(line, now);
    const text = parsed?.record[field];
    if (parsed === null || typeof text !== 'string') return parsed;
    const found = inner(text.trimEnd(), now);
    if (found === null) return { ...parsed, unparsed: field };
    if (found.header) return found;
    const { [field]: _, ...record } = parsed.record;
    for (const [name, value] of Object.entries(found.record)) setField(record, name, value);
    if (found.time === null && parsed.time !== null) record['time'] = parsed.record['time'];
    return { ...found, record, time: found.time ?? parsed.time };
  };
}

/** Formats whose fields the line names itself, or a regular expression does. */
import { addField, compileFinish, type RecordOptions, setField } from './finish.ts';
import type { RecordParser } from './record.ts';

/** Labeled tab-separated values (ltsv.org): `label:value` with tabs between. */
export function ltsv(options: RecordOptions): RecordParser {
  const finish = compileFinish(options, 'time');
  return (line, now) => {
    const fields: Record<string, unknown> = {};
    for (const part of line.split('\t')) {
      const colon = part.indexOf(':');
      if (colon <= 0) {
        if (part === '') continue;
        return null;
      }
      addField(fields, part.slice(0, colon), part.slice(colon + 1));
    }
    return Object.keys(fields).length === 0 ? null : { record: fields, time: finish(fields, now) };
  };
}

/** Named groups are the fields. */
export function regexp(expression: RegExp, options: RecordOptions): RecordParser {
  const finish = compileFinish(options, 'time');
  return (line, now) => {
    const match = expression.exec(line);
    if (!match) return null;
    const fields: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(match.groups ?? {})) {
      if (value !== undefined) setField(fields, name, value);
    }
    return { record: fields, time: finish(fields, now) };
  };
}

/** logfmt: `key=value key="quoted value" flag`, as Go services and Heroku write it. */
import { addField, compileFinish, type RecordOptions } from './finish.ts';
import type { RecordParser } from './record.ts';

/** A key, then perhaps a value: quoted with JSON's escapes, or up to the next blank. */
const PAIR = /\s*([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)/sy;

export function logfmt(options: RecordOptions): RecordParser {
  const finish = compileFinish(options, 'time');
  return (line, now) => {
    const record: Record<string, unknown> = {};
    const text = line.trimEnd();
    let pairs = 0;
    PAIR.lastIndex = 0;
    while (PAIR.lastIndex < text.length) {
      const match = PAIR.exec(text);
      if (!match) return null;
      const [whole, key, quoted, plain] = match;
      if (whole.includes('=')) pairs++;
      addField(record, key!, quoted === undefined ? (plain ?? true) : unquote(quoted));
    }
    // Words alone are prose.
    return pairs === 0 ? null : { record, time: finish(record, now) };
  };
}

function unquote(text: string): string {
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text.replace(/\\(["\\])/g, '$1');
  }
}

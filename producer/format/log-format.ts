/** A compiled log format: the fields of a line and the literals between them. What servers call it stands elsewhere. */
import { FormatError } from './errors.ts';
import { compileTimePrefix } from './time-format.ts';

/** How the server escapes a value: `\x22` (nginx), `\"` and `\x07` (Apache), as JSON does, or not at all. */
export type Escape = 'nginx' | 'apache' | 'json' | 'none';

export type FieldKind =
  | 'text'
  | 'number'
  /** `GET /path HTTP/1.1`, which becomes method, path and protocol. */
  | 'request'
  /** `23/Nov/2026:21:04:07 +0000` */
  | 'clf'
  /** `2026-11-23T21:04:07+00:00` */
  | 'iso'
  /** Seconds since 1970, with or without a fraction; then the same in milliseconds and microseconds. */
  | 'seconds'
  | 'milliseconds'
  | 'microseconds'
  /** A time as {@link Variable.timeFormat} writes it. */
  | 'strftime';

export interface Variable {
  readonly name: string;
  readonly kind: FieldKind;
  /** Whether the value can be a list with spaces in it, `0.001, 0.002 : 0.003`. */
  readonly list?: boolean;
  /** Whether no client can put a space into the value: it ends where the literal behind it first stands. */
  readonly solid?: boolean;
  /** Whether the value is an address, which may have the colons in it that a literal behind it begins with. */
  readonly address?: boolean;
  /** Whether the server writes two quotes for an empty value. */
  readonly emptyQuotes?: boolean;
  /** The character that every value begins with: what stands directly before it ends there. */
  readonly begins?: string;
  /** Of a time: its format, as strftime has it. */
  readonly timeFormat?: string;
  /** The server's own name for it, for when `name` is taken. */
  readonly own?: string;
}

export interface LogField extends Variable {
  /** The literal behind the field; empty at the end of the line. */
  readonly literal: string;
  /** Whether that literal is the beginning of the next field. */
  readonly peek?: boolean;
}

export interface LogFormat {
  /** The literal before the first field. */
  readonly prefix: string;
  readonly fields: readonly LogField[];
  readonly escape: Escape;
}

/** A part of a format as it was read: a literal, or a variable and the column that it stands at. */
export type Part = string | { readonly variable: Variable; readonly column: number; readonly source: string };

const TEXTUAL: ReadonlySet<FieldKind> = new Set(['text', 'request', 'clf', 'iso', 'strftime']);

/** Takes a format apart. `variable` gives a literal for what is none. */
export function splitFormat(
  source: string,
  pattern: RegExp,
  variable: (match: RegExpExecArray) => Variable | string,
): Part[] {
  const parts: Part[] = [];
  const literal = (text: string) => {
    if (text === '') return;
    const last = parts.at(-1);
    if (typeof last === 'string') parts[parts.length - 1] = last + text;
    else parts.push(text);
  };
  let at = 0;
  for (const match of source.matchAll(pattern)) {
    literal(source.slice(at, match.index));
    const part = variable(match);
    if (typeof part === 'string') literal(part);
    else parts.push({ variable: part, column: match.index + 1, source: match[0] });
    at = match.index + match[0].length;
  }
  literal(source.slice(at));
  return parts;
}

/**
 * Makes a format of its parts: gives each field a name of its own and the literal that it ends at.
 *
 * @param known names of formats, for the message
 * @throws FormatError when two fields cannot be separated, with the place, or there are none
 */
export function assembleFormat(
  parts: readonly Part[],
  escaping: Escape,
  text: string,
  known: readonly string[],
): LogFormat {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
  const prefix = typeof parts[0] === 'string' ? parts[0] : '';
  const taken = new Set<string>();
  const fields: LogField[] = [];
  parts.forEach((part, i) => {
    if (typeof part === 'string') return;
    const next = parts[i + 1];
    const begins = typeof next === 'object' ? next.variable.begins : undefined;
    if (typeof next === 'object' && begins === undefined) {
      throw new FormatError(
        `${shown}: nothing separates ${part.source} from ${next.source} at column ${next.column}: put a separator there`,
      );
    }
    checkTime(part.variable, part.column, shown);
    let { name, kind } = part.variable;
    if (taken.has(name)) {
      // Only one field is the event's time, only one the request.
      if (kind !== 'text') kind = TEXTUAL.has(kind) ? 'text' : 'number';
      const base = part.variable.own ?? name;
      name = base;
      for (let n = 2; taken.has(name); n++) name = `${base}_${n}`;
    }
    taken.add(name);
    if (kind === 'request') for (const piece of ['method', 'path', 'protocol']) taken.add(piece);
    const literal = typeof next === 'string' ? next : (begins ?? '');
    // A time that is not the event's is text, with the space that times have.
    const solid = (part.variable.solid ?? false) && !(kind === 'text' && kind !== part.variable.kind);
    fields.push({ ...part.variable, name, kind, solid, literal, peek: begins !== undefined });
  });
  if (fields.length === 0) {
    throw new FormatError(
      `${shown} names no field: give a log_format with variables such as ` +
        `${known.includes('common') ? '%h' : '$remote_addr'}, or one of ${known.join(', ')}`,
    );
  }
  return { prefix, fields, escape: escaping };
}

function checkTime({ timeFormat, kind }: Variable, column: number, shown: string): void {
  if (kind !== 'strftime') return;
  try {
    compileTimePrefix(timeFormat!, 'UTC');
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`${shown}, column ${column}: ${error.message}`, error);
  }
}

/** Whether a literal is one that no value of a client can contain: servers escape quotes and control characters. */
export function isAnchor(literal: string, escaping: Escape): boolean {
  if (literal === '') return true;
  return escaping !== 'none' && [...literal].some((character) => character === '"' || character < ' ');
}

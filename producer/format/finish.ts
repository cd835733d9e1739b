/** What every format of objects does to an event's fields: their types, and the one that is its time. */
import { timeText } from './clock.ts';
import type { ParsedRecord, RecordParser } from './record.ts';
import { compileTimeFormat, type TimeParser } from './time-format.ts';

export type FieldType = 'string' | 'integer' | 'float' | 'bool' | 'time';

export interface RecordOptions {
  readonly time_key?: string | undefined;
  readonly time_format?: string | undefined;
  readonly timezone?: string | undefined;
  readonly keep_time_key?: boolean | undefined;
  readonly types?: Readonly<Record<string, FieldType>> | undefined;
}

/** Year 10000: RFC 3339 ends before it. */
const MAX_TIME = 253_402_300_800_000;

/** A value as its type; one that is not of it stays a string. */
export function convert(value: string, type: Exclude<FieldType, 'time'>): unknown {
  switch (type) {
    case 'integer': {
      const number = /^[+-]?\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
      return Number.isSafeInteger(number) ? number : value;
    }
    case 'float': {
      const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) ? Number(value) : Number.NaN;
      return isReadable(number) ? number : value;
    }
    case 'bool':
      if (/^(?:true|yes|1)$/i.test(value)) return true;
      return /^(?:false|no|0)$/i.test(value) ? false : value;
    case 'string':
      return value;
  }
}

/** Whether readers hold the number as JSON writes it: pandas refuses digits of more than 64 bits. */
function isReadable(number: number): boolean {
  const size = Math.abs(number);
  return size < 2 ** 63 || (size >= 1e21 && Number.isFinite(size));
}

/** Gives an event its types and its time, which becomes `time` in RFC 3339; returns the time, null for none. */
export type Finish = (fields: Record<string, unknown>, now: number, known?: number | null) => number | null;

/**
 * @param timeKey the field of the time; undefined where the format itself knows it
 */
export function compileFinish(options: RecordOptions, timeKey: string | undefined): Finish {
  const key = options.time_key ?? timeKey;
  const parseTime = compileTimeFormat(options.time_format, options.timezone);
  const parseOther = compileTimeFormat(undefined, options.timezone);
  const types = Object.entries(options.types ?? {});
  return (fields, now, known = null) => {
    const time = (key === undefined ? null : timeOf(lookUp(fields, key), parseTime, now)) ?? known;
    for (const [name, type] of types) {
      const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (type === 'string' && typeof value === 'number') fields[name] = String(value);
      if (name === key && time !== null) continue;
      if (type === 'time') {
        const other = timeOf(value, parseOther, now);
        if (other !== null) fields[name] = timeText(other);
      } else if (typeof value === 'string') {
        fields[name] = convert(value, type);
      }
    }
    if (time === null) return null;
    if (key !== undefined && key !== 'time' && options.keep_time_key !== true) delete fields[key];
    fields.time = timeText(time);
    return time;
  };
}

/** A format's events with types, and with the time of another field where one is named. */
export function finished(parse: RecordParser, options: RecordOptions): RecordParser {
  if (options.types === undefined && options.time_key === undefined) return parse;
  const finish = compileFinish(options, undefined);
  return (line, now): ParsedRecord | null => {
    const parsed = parse(line, now);
    return parsed && { record: parsed.record, time: finish(parsed.record, now, parsed.time) };
  };
}

function timeOf(value: unknown, parse: TimeParser, now: number): number | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const time = Math.floor(parse(String(value), now));
  return time >= 0 && time < MAX_TIME ? time : null;
}

/** A field, or one inside of objects by the names that lead to it, joined by dots. */
export function lookUp(fields: unknown, name: string): unknown {
  if (typeof fields !== 'object' || fields === null) return undefined;
  if (Object.hasOwn(fields, name)) return (fields as Record<string, unknown>)[name];
  for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
    const key = name.slice(0, dot);
    if (!Object.hasOwn(fields, key)) continue;
    const value = lookUp((fields as Record<string, unknown>)[key], name.slice(dot + 1));
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Sets a field even where its name is `__proto__`. */
export function setField(fields: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(fields, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Sets a field that the line gives; where it has given one of that name already, this one is `name#2`, then `name#3`. */
export function addField(fields: Record<string, unknown>, name: string, value: unknown): void {
  let own = name;
  for (let n = 2; Object.hasOwn(fields, own); n++) own = `${name}#${n}`;
  setField(fields, own, value);
}

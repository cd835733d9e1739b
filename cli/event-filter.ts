/** Which archived events a command is asked for, by their fields: --grep, --where, --ip and the range of time. */
import { BlockList, isIP } from 'node:net';
import type { Command } from 'commander';
import { TailraceError } from '../base/errors.ts';
import { collect } from './options.ts';

export interface EventFilterOptions {
  readonly grep?: string;
  readonly where?: readonly string[];
  readonly ip?: readonly string[];
}

export function withFilterOptions(command: Command): Command {
  return command
    .option(
      '--where <condition>',
      'only events whose field is so, such as code=404 or request_time>=1.5; may be repeated',
      collect,
    )
    .option(
      '--ip <address>',
      'only events with this address, or one of this network, in a value; may be repeated',
      collect,
    );
}

/** Whether a line, and the event that it is, are asked for. `event` is null where the line is not a JSON object. */
export type EventFilter = (line: string, event: Readonly<Record<string, unknown>> | null) => boolean;

const CONDITION = /^([^=!<>]+)(!=|>=|<=|=|>|<)(.*)$/s;

/**
 * All conditions together; null when there are none.
 *
 * @throws TailraceError CONFIG for a condition or an address that cannot be parsed
 */
export function eventFilter({ grep, where = [], ip = [] }: EventFilterOptions): EventFilter | null {
  const filters: EventFilter[] = [];
  if (grep !== undefined) filters.push(isIP(grep) ? ipFilter([grep]) : grepFilter(grep));
  for (const condition of where) filters.push(whereFilter(condition));
  if (ip.length > 0) filters.push(ipFilter(ip));
  if (filters.length === 0) return null;
  return (line, event) => filters.every((filter) => filter(line, event));
}

/** A text in one of the event's values. A number at its end is a whole number: 1.2 is not in 11.25. */
function grepFilter(text: string): EventFilter {
  const escaped = text.replace(/[\\^$.|?+*()[\]{}]/g, '\\$&');
  const before = /^\d/.test(text) ? '(?<!\\d)' : '';
  const after = /\d$/.test(text) ? '(?!\\d)' : '';
  const expression = new RegExp(`${before}${escaped}${after}`, 's');
  return (line, event) => {
    if (event === null) return expression.test(line);
    // A cheap look first; a line with escapes can hold the text in another form.
    if (!line.includes('\\') && !line.includes(text)) return false;
    return anyValue(event, (value) => expression.test(value));
  };
}

function whereFilter(condition: string): EventFilter {
  const match = CONDITION.exec(condition);
  if (!match) {
    throw new TailraceError(
      'CONFIG',
      `--where ${condition}: expected FIELD=VALUE, or one of != < <= > >= between them, such as code>=500`,
    );
  }
  const [, field, operator, wanted] = match as unknown as [string, string, string, string];
  const compare = COMPARISONS[operator]!;
  return (_line, event) => {
    const value = event === null ? undefined : fieldOf(event, field);
    if (value === undefined) return operator === '!=';
    return compare(valueText(value), wanted);
  };
}

const COMPARISONS: Readonly<Record<string, (value: string, wanted: string) => boolean>> = {
  '=': (value, wanted) => value === wanted,
  '!=': (value, wanted) => value !== wanted,
  '<': (value, wanted) => order(value, wanted) < 0,
  '<=': (value, wanted) => order(value, wanted) <= 0,
  '>': (value, wanted) => order(value, wanted) > 0,
  '>=': (value, wanted) => order(value, wanted) >= 0,
};

/** As numbers where both are, else as text: times in RFC 3339 are in order so. NaN, and so false, when only one is. */
function order(a: string, b: string): number {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null && y !== null) return x - y;
  if (x !== null || y !== null) return Number.NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}

function numberOf(text: string): number | null {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : null;
}

/** A field by its name, or by a path such as `user.email` into nested objects. */
export function fieldOf(event: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(event, path)) return event[path];
  let value: unknown = event;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** An address, or one of a network in CIDR notation, anywhere in the event's values: alone, in a list, with a port. */
function ipFilter(wanted: readonly string[]): EventFilter {
  const list = new BlockList();
  for (const text of wanted) {
    const [address, bits] = text.split('/') as [string, string?];
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    if (family === 0 || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= most))) {
      throw new TailraceError(
        'CONFIG',
        `--ip ${text}: expected an address or a network, such as 203.0.113.7 or 2001:db8::/32`,
      );
    }
    list.addSubnet(address, bits === undefined ? most : Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  }
  const isWanted = (address: string): boolean => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
  const hasWanted = (value: string): boolean =>
    value
      .split(/[\s,;"'()<>{}=|[\]]+/)
      .some((word) => isWanted(word.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1').replace(/[.:]$/, '')));
  return (line, event) => (event === null ? hasWanted(line) : anyValue(event, hasWanted));
}

/** Whether a test holds for one of the values, however deep; numbers, true, false and null are their JSON. */
function anyValue(value: unknown, test: (text: string) => boolean): boolean {
  if (typeof value !== 'object' || value === null) return test(valueText(value));
  return Object.values(value).some((part) => anyValue(part, test));
}

const HOUR_MS = 3_600_000;
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)$/;

/**
 * The time of an event, milliseconds since 1970, by which it was archived under its hour; null when no field says it.
 *
 * @param keys fields that can have it: the first that holds a time of the hour counts
 */
export function eventTime(
  event: Readonly<Record<string, unknown>> | null,
  hour: number,
  keys: readonly string[],
): number | null {
  for (const key of keys) {
    const time = event === null ? null : timeOf(fieldOf(event, key));
    // Another hour than the object's: an absurd time, in whose place that of the arrival was taken.
    if (time !== null && Math.floor(time / HOUR_MS) === hour) return time;
  }
  return null;
}

function timeOf(value: unknown): number | null {
  if (typeof value === 'number') return Math.floor(value > 1e11 ? value : value * 1000);
  if (typeof value !== 'string') return null;
  if (/^\d{9,13}(?:\.\d+)?$/.test(value)) return timeOf(Number(value));
  if (!RFC_3339.test(value)) return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : time;
}

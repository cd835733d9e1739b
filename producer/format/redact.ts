/** Redactions: what a configuration hides in a value, and how much of that can be found in a line without fields. */
import { createHmac } from 'node:crypto';
import { isIPv6 } from 'node:net';
import * as z from 'zod/mini';
import { pattern } from './patterns.ts';

const MASK = '***';
const name = z.string().check(z.minLength(1));

export const redaction = z
  .strictObject({
    field: name,
    mask: z.optional(z.literal(true)),
    query: z.optional(z.array(name).check(z.minLength(1))),
    ip: z.optional(z.enum(['truncate', 'hash'])),
    key: z.optional(name),
    pattern: z.optional(pattern),
    replace: z.optional(z.string()),
  })
  .check(
    z.refine((r) => [r.mask, r.query, r.ip, r.pattern].filter((way) => way !== undefined).length === 1, {
      error: 'expected exactly one of mask: true, query: [names], ip: truncate or hash, pattern',
    }),
    z.refine((r) => (r.ip === 'hash') === (r.key !== undefined), {
      error: 'ip: hash needs a key (addresses hashed without one can be guessed), and only it has one',
    }),
    z.refine((r) => r.replace === undefined || r.pattern !== undefined, {
      error: 'replace belongs to pattern',
    }),
  );

export type Redaction = z.output<typeof redaction>;

/** What hides a part of a text, or all of it. */
export type Redact = (text: string) => string;

/** The redaction of one field's value. */
export function compileRedaction(rule: Redaction): Redact {
  if (rule.query) {
    const names = parameterNames(rule.query);
    return (value) => maskQuery(value, names);
  }
  return compileAnywhere(rule) ?? (() => MASK);
}

/**
 * The redactions of a whole line whose fields are not known. Null when one of them masks a field: no text says where
 * in the line that is.
 */
export function compileLineRedaction(rules: readonly Redaction[]): Redact | null {
  const redactions: Redact[] = [];
  for (const rule of rules) {
    const names = parameterNames(rule.query ?? []);
    const redact = rule.query ? (line: string) => maskParameters(line, names) : compileAnywhere(rule);
    if (redact === null) return null;
    redactions.push(redact);
  }
  return (line) => redactions.reduce((text, redact) => redact(text), line);
}

/** The redactions that find by themselves what they hide. */
function compileAnywhere(rule: Redaction): Redact | null {
  if (rule.pattern !== undefined) {
    const all = new RegExp(rule.pattern, 'gu');
    const replacement = rule.replace ?? MASK;
    return (value) => value.replace(all, replacement);
  }
  if (rule.ip === 'truncate') return (value) => eachAddress(value, truncateAddress);
  if (rule.ip === 'hash') return (value) => eachAddress(value, (address) => hashAddress(address, rule.key!));
  return null;
}

/**
 * Masks the values of query parameters in a path, a URL with its fragment, a bare query string, or a whole request
 * line. A value ends at the next separator and nowhere before it, whatever else is in it.
 */
function maskQuery(value: string, names: ReadonlySet<string>): string {
  const protocol = / HTTP\/\d(?:\.\d)?$/.exec(value);
  const end = protocol === null ? value.length : protocol.index;
  let masked = '';
  for (let from = 0; from <= end; ) {
    let to = from;
    while (to < end && !isSeparator(value.charCodeAt(to))) to++;
    const equals = value.indexOf('=', from);
    const named = equals > from && equals < to && isNamed(decode(value.slice(from, equals)), names);
    masked += named ? `${value.slice(from, equals)}=${MASK}` : value.slice(from, to);
    if (to < end) masked += value[to];
    from = to + 1;
  }
  return masked + value.slice(end);
}

function parameterNames(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}

/** Some servers take `TOKEN` for `token`, and `token[]` and `token[a]` for parts of it: a client may write any of them. */
function isNamed(spelled: string, names: ReadonlySet<string>): boolean {
  const name = spelled.toLowerCase();
  return names.has(name) || names.has(name.replace(/\[.*$/s, ''));
}

/** `?`, `#`, `&` and `;`. */
function isSeparator(code: number): boolean {
  return code === 0x3f || code === 0x23 || code === 0x26 || code === 0x3b;
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' ')).trim();
  } catch {
    return text;
  }
}

const HEX_ESCAPE = /\\(?:x|u00)([0-9A-Fa-f]{2})/g;
const NAME_ENDS = /[\s"'?&;#]/;

/**
 * Masks parameters in a line of which no more is known: names may be escaped, and a value ends at a separator or at a
 * quote that no backslash escapes.
 */
function maskParameters(line: string, names: ReadonlySet<string>): string {
  let masked = '';
  let done = 0;
  for (let equals = line.indexOf('='); equals >= 0; equals = line.indexOf('=', Math.max(done, equals + 1))) {
    let from = equals;
    while (from > done && line[from - 1] !== '=' && !NAME_ENDS.test(line[from - 1]!)) from--;
    const spelled = decode(line.slice(from, equals).replace(HEX_ESCAPE, '%$1'));
    if (!isNamed(spelled, names) && !isNamed(spelled.split(NAME_ENDS).at(-1)!, names)) continue;
    let to = equals + 1;
    while (to < line.length && line[to] !== '"' && !isSeparator(line.charCodeAt(to))) {
      to += line[to] === '\\' ? 2 : 1;
    }
    masked += `${line.slice(done, equals)}=${MASK}`;
    done = Math.min(to, line.length);
  }
  return masked + line.slice(done);
}

/** Two colons at least, and neither a word nor more of an address before it. */
const IPV6_LIKE = /(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2}[0-9A-Fa-f:.]*/g;
/** Characters of the longest address with its port. */
const MAX_ADDRESS = 52;
const IPV4_LIKE = /(?<!\d|\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)/g;

/** Changes all addresses in a text: alone, in a list, or with a port or other text around them. */
function eachAddress(value: string, change: (address: string) => string): string {
  return value
    .replace(IPV6_LIKE, (run, at: number) => {
      if (run.length > MAX_ADDRESS || /\w/.test(value[at + run.length] ?? '')) return run;
      for (const shorter of [run, run.replace(/[:.]+$/, ''), run.replace(/:\d{1,5}$/, '')]) {
        if (isIPv6(shorter)) return change(shorter) + run.slice(shorter.length);
      }
      return run;
    })
    .replace(IPV4_LIKE, (address) => (isPadded(address) ? change(address) : address));
}

/** An address of IPv4, whose numbers may begin with zeros as some programs pad them. */
function isPadded(address: string): boolean {
  return address.split('.').every((octet) => Number(octet) <= 255);
}

/** The network of an address: 24 bits of IPv4, 48 of IPv6. */
function truncateAddress(address: string): string {
  const mapped = /^(.*:)?(\d+\.\d+\.\d+)\.\d+$/.exec(address);
  if (mapped) return `${mapped[1] ?? ''}${mapped[2]}.0`;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 3).join(':')}::`;
}

function hashAddress(address: string, key: string): string {
  return createHmac('sha256', key).update(address).digest('hex').slice(0, 16);
}

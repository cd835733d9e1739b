/**
 * Event transforms: what a configuration adds to events, leaves out of them, or hides in them. Compiled once into
 * rules per field, which parsers on bytes follow as they write, and into one function for events that are objects.
 *
 * Whatever their order in the file they act in this one: include and exclude look at the event as it was parsed, then
 * redact, remove, rename, add. A field whose name another one is given by rename or add gives way.
 */
import { createHmac } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import * as z from 'zod/mini';
import { FormatError } from './errors.ts';

const MASK = '***';
const name = z.string().check(z.minLength(1));

const pattern = z.string().check(
  z.refine(
    (text) => {
      try {
        return new RegExp(text, 'u') !== null;
      } catch {
        return false;
      }
    },
    { error: 'expected a regular expression (JavaScript syntax, flag u)' },
  ),
);

const grep = z.array(z.strictObject({ field: name, pattern }));

const redaction = z
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

/** The keys of a configuration that transform events: spread into the schema of an input. */
export const transformShape = {
  add: z.optional(z.record(name, z.union([z.string(), z.number(), z.boolean()]))),
  rename: z.optional(z.record(name, name)),
  remove: z.optional(z.array(name)),
  include: z.optional(grep),
  exclude: z.optional(grep),
  redact: z.optional(z.array(redaction)),
};

export const transformOptions = z.strictObject(transformShape);
export type TransformOptions = z.output<typeof transformOptions>;
type Redaction = z.output<typeof redaction>;

/** What happens to one field. */
export interface FieldRule {
  /** The name that it is written under; null when it is left out. */
  readonly name: string | null;
  readonly include: readonly RegExp[];
  readonly exclude: readonly RegExp[];
  readonly redact: readonly ((value: string) => string)[];
  /** Whether its value can be written unseen. */
  readonly plain: boolean;
}

/** A compiled set of transforms. */
export class Transform {
  readonly #rules = new Map<string, FieldRule>();
  readonly #replaced = new Set<string>();
  readonly #renamed: ReadonlyMap<string, string>;
  readonly #removed: ReadonlySet<string>;
  readonly #redacted: { value: number };
  readonly #options: TransformOptions;
  readonly #added: ReadonlyMap<string, string | number | boolean>;
  /** How many `include` patterns an event has to match. */
  readonly inclusions: number;
  /** Names that have a rule of their own. */
  readonly fields: ReadonlySet<string>;
  /** The added fields as JSON members, each with a comma before it. */
  readonly added: Buffer;
  /** Whether events stay as they are. */
  readonly identity: boolean;

  /**
   * @param placeholders values for `${name}` in added strings
   * @throws FormatError for a placeholder without a value, or two fields renamed to one
   */
  /** @param redacted counts the values that a redaction changed */
  constructor(
    options: TransformOptions,
    placeholders: Readonly<Record<string, string | undefined>> = {},
    redacted: { value: number } = { value: 0 },
  ) {
    this.#options = options;
    this.#redacted = redacted;
    this.#removed = new Set(options.remove);
    this.#renamed = new Map(Object.entries(options.rename ?? {}));
    const added = new Map<string, string | number | boolean>();
    for (const [field, value] of Object.entries(options.add ?? {})) {
      const filled = typeof value === 'string' ? fill(field, value, placeholders) : value;
      if (filled !== null) added.set(field, filled);
    }
    this.#added = added;
    for (const field of added.keys()) this.#replaced.add(field);
    for (const [field, target] of this.#renamed) {
      if (this.#replaced.has(target)) throw new FormatError(`rename.${field}: "${target}" is given twice`);
      this.#replaced.add(target);
    }
    this.inclusions = options.include?.length ?? 0;
    this.fields = new Set([
      ...this.#replaced,
      ...this.#removed,
      ...this.#renamed.keys(),
      ...(options.include ?? []).map((rule) => rule.field),
      ...(options.exclude ?? []).map((rule) => rule.field),
      ...(options.redact ?? []).map((rule) => rule.field),
    ]);
    this.added = Buffer.from(
      [...added].map(([field, value]) => `,${JSON.stringify(field)}:${JSON.stringify(value)}`).join(''),
    );
    this.identity = this.fields.size === 0;
  }

  /** What happens to the field that was parsed under this name; for parsers as they are made, not for each event. */
  rule(field: string): FieldRule {
    let rule = this.#rules.get(field);
    if (rule === undefined) {
      const { include = [], exclude = [], redact = [] } = this.#options;
      const patterns = (rules: typeof include) =>
        rules.filter((r) => r.field === field).map((r) => new RegExp(r.pattern, 'u'));
      const redactions = redact
        .filter((r) => r.field === field)
        .map(compileRedaction)
        .map((change) => (value: string) => {
          const changed = change(value);
          if (changed !== value) this.#redacted.value++;
          return changed;
        });
      rule = {
        name: this.#nameOf(field),
        include: patterns(include),
        exclude: patterns(exclude),
        redact: redactions,
        plain: false,
      };
      rule = { ...rule, plain: rule.include.length + rule.exclude.length + rule.redact.length === 0 };
      this.#rules.set(field, rule);
    }
    return rule;
  }

  /**
   * Transforms an event in place; field names may be paths into nested objects (`user.email`).
   *
   * @returns false when the event is to be left out
   */
  apply(record: Record<string, unknown>): boolean {
    if (this.identity) return true;
    for (const rule of this.#options.include ?? []) {
      const value = lookUp(record, rule.field);
      if (value === undefined || !this.#matches(rule.field, 'include', value)) return false;
    }
    for (const rule of this.#options.exclude ?? []) {
      const value = lookUp(record, rule.field);
      if (value !== undefined && this.#matches(rule.field, 'exclude', value, true)) return false;
    }
    for (const { field } of this.#options.redact ?? []) {
      const holder = holderOf(record, field);
      if (holder === null) continue;
      const [object, key] = holder;
      object[key] = this.rule(field).redact.reduce((text, redact) => redact(text), textOf(object[key]));
    }
    for (const field of this.#removed) {
      const holder = holderOf(record, field);
      if (holder !== null) delete holder[0][holder[1]];
    }
    const moved: [string, unknown][] = [];
    for (const [field, target] of this.#renamed) {
      const holder = holderOf(record, field);
      if (holder === null) continue;
      moved.push([target, holder[0][holder[1]]]);
      delete holder[0][holder[1]];
    }
    for (const field of this.#replaced) delete record[field];
    for (const [field, value] of moved) define(record, field, value);
    for (const [field, value] of this.#added) define(record, field, value);
    return true;
  }

  #matches(field: string, way: 'include' | 'exclude', value: unknown, any = false): boolean {
    const text = textOf(value);
    const patterns = this.rule(field)[way];
    return any ? patterns.some((p) => p.test(text)) : patterns.every((p) => p.test(text));
  }

  #nameOf(field: string): string | null {
    if (this.#removed.has(field)) return null;
    const renamed = this.#renamed.get(field);
    if (renamed !== undefined) return renamed;
    return this.#replaced.has(field) ? null : field;
  }
}

function fill(
  field: string,
  text: string,
  placeholders: Readonly<Record<string, string | undefined>>,
): string | null {
  let missing = false;
  const filled = text.replace(/\$\{([\w.:]+)\}/g, (_, key: string) => {
    const value = key.startsWith('env:') ? process.env[key.slice(4)] : placeholders[key];
    if (value === undefined && !(key in placeholders)) {
      throw new FormatError(
        `add.${field}: \${${key}} is not known: there are ${[...Object.keys(placeholders), 'env:NAME'].join(', ')}`,
      );
    }
    missing ||= value === undefined;
    return value ?? '';
  });
  return missing ? null : filled;
}

/** What patterns and redactions see of a value: strings as they are, all else as JSON. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

type Fields = Record<string, unknown>;

/** The object and key that a name means: the key itself, or a path of keys joined by dots. */
function holderOf(record: Fields, field: string): [Fields, string] | null {
  if (Object.hasOwn(record, field)) return [record, field];
  for (let dot = field.indexOf('.'); dot > 0; dot = field.indexOf('.', dot + 1)) {
    const key = field.slice(0, dot);
    const inner = Object.hasOwn(record, key) ? record[key] : undefined;
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) {
      const holder = holderOf(inner as Fields, field.slice(dot + 1));
      if (holder !== null) return holder;
    }
  }
  return null;
}

function lookUp(record: Fields, field: string): unknown {
  const holder = holderOf(record, field);
  return holder === null ? undefined : holder[0][holder[1]];
}

/** Sets a field even where its name is `__proto__`. */
function define(record: Fields, field: string, value: unknown): void {
  Object.defineProperty(record, field, { value, writable: true, enumerable: true, configurable: true });
}

function compileRedaction(rule: Redaction): (value: string) => string {
  if (rule.query) {
    const names = new Set(rule.query);
    return (value) => maskQuery(value, names);
  }
  if (rule.pattern !== undefined) {
    const all = new RegExp(rule.pattern, 'gu');
    const replacement = rule.replace ?? MASK;
    return (value) => value.replace(all, replacement);
  }
  if (rule.ip === 'truncate') return (value) => eachAddress(value, truncateAddress);
  if (rule.ip === 'hash') return (value) => eachAddress(value, (address) => hashAddress(address, rule.key!));
  return () => MASK;
}

/** Masks the values of query parameters in a path or URL, whatever stands around them. */
function maskQuery(value: string, names: ReadonlySet<string>): string {
  const question = value.indexOf('?');
  if (question < 0) return value;
  const hash = value.indexOf('#', question);
  const end = hash < 0 ? value.length : hash;
  let masked = value.slice(0, question + 1);
  for (let from = question + 1; from <= end; ) {
    let to = from;
    while (to < end && value[to] !== '&' && value[to] !== ';') to++;
    const equals = value.indexOf('=', from);
    const named = equals > from && equals < to && names.has(decode(value.slice(from, equals)));
    masked += named ? `${value.slice(from, equals)}=${MASK}` : value.slice(from, to);
    if (to < end) masked += value[to];
    from = to + 1;
  }
  return masked + value.slice(end);
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** X-Forwarded-For lists several; what is no address stays. */
function eachAddress(value: string, change: (address: string) => string): string {
  return value.replace(/[0-9A-Fa-f:.]{2,}/g, (address) =>
    isIPv4(address) || isIPv6(address) ? change(address) : address,
  );
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

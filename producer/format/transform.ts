/**
 * Event transforms: what a configuration adds to events, leaves out of them, or hides in them. Compiled once into
 * rules per field, which parsers on bytes follow as they write, and into one function for events that are objects.
 *
 * Whatever their order in the file they act in this one: include and exclude look at the event as it was parsed, then
 * redact, remove, rename, add. A field whose name another one is given by rename or add gives way.
 */
import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import { FormatError } from './errors.ts';
import { pattern } from './patterns.ts';
import { compileLineRedaction, compileRedaction, type Redact, redaction } from './redact.ts';

const name = z.string().check(z.minLength(1));

const grep = z.array(z.strictObject({ field: name, pattern }));

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

/**
 * What becomes of a line without fields, in which a redaction cannot find its field: kept as it is, redacted by what
 * the redactions find anywhere in it, or replaced by a hash.
 */
export const unparsedPolicy = z.enum(['keep', 'redact', 'hash']);
export type UnparsedPolicy = z.output<typeof unparsedPolicy>;

/** What happens to a line that is kept as text. */
export interface TextRule {
  readonly include: readonly RegExp[];
  readonly exclude: readonly RegExp[];
  /** Null where nothing but a hash of the line may be kept. */
  readonly redact: Redact | null;
  /** Whether addresses are hidden, of which a cut may leave a part. */
  readonly addresses: boolean;
  /** Of the HMAC of such a line. */
  readonly key: string | Buffer;
}

/** What happens to one field. */
export interface FieldRule {
  /** The name that it is written under; null when it is left out. */
  readonly name: string | null;
  readonly include: readonly RegExp[];
  readonly exclude: readonly RegExp[];
  readonly redact: readonly Redact[];
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
  /** Whether something of them is redacted or removed. */
  readonly hides: boolean;
  /** What happens to lines that are kept as text; null when they stay as they are. */
  readonly text: TextRule | null;

  /**
   * @param placeholders values for `${name}` in added strings
   * @param redacted counts the values that a redaction changed
   * @throws FormatError for a placeholder without a value, or two fields renamed to one
   */
  constructor(
    options: TransformOptions & { readonly unparsed?: UnparsedPolicy | undefined },
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
    this.hides = this.#removed.size > 0 || (options.redact?.length ?? 0) > 0;
    this.text = this.#textRule(options.unparsed ?? 'redact');
  }

  #textRule(policy: UnparsedPolicy): TextRule | null {
    const { redact = [] } = this.#options;
    const { include, exclude, redact: ofMessage } = this.rule('message');
    const hidesOthers = redact.length > ofMessage.length;
    if (include.length + exclude.length + redact.length === 0 && policy !== 'hash') return null;
    const anywhere =
      policy === 'redact' ? compileLineRedaction(redact.filter((r) => r.field !== 'message')) : null;
    const whole: Redact | null =
      policy === 'hash' || (policy === 'redact' && hidesOthers && anywhere === null)
        ? null
        : (line) =>
            this.#counted(
              anywhere,
              ofMessage.reduce((text, change) => change(text), line),
            );
    const addresses = redact.some(({ ip }) => ip !== undefined);
    return {
      include,
      exclude,
      redact: whole,
      addresses,
      key: redact.find((r) => r.key)?.key ?? randomBytes(32),
    };
  }

  #counted(redact: Redact | null, text: string): string {
    const changed = redact === null ? text : redact(text);
    if (changed !== text) this.#redacted.value++;
    return changed;
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
        .map((change) => (value: string) => this.#counted(change, value));
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

  /** The rule of a request line other than `METHOD path HTTP/x`: what hides a part of it hides that in the whole. */
  requestRule(): FieldRule {
    const whole = this.rule('request');
    const redact = ['request', 'method', 'path', 'protocol'].flatMap((part) => this.rule(part).redact);
    return { ...whole, redact, plain: whole.plain && redact.length === 0 };
  }

  /** Whether a redaction looks for one of these fields. */
  redacts(fields: readonly string[]): boolean {
    return (this.#options.redact ?? []).some(({ field }) => fields.includes(field));
  }

  /** Hides in a text what any redaction of these fields hides in its own; null when one of them masks a field. */
  textRedaction(fields: readonly string[]): Redact | null {
    const rules = (this.#options.redact ?? []).filter(({ field }) => fields.includes(field));
    if (rules.some(({ mask }) => mask === true)) return null;
    const redactions = rules.map(compileRedaction);
    return (text) => redactions.reduce((before, redact) => this.#counted(redact, before), text);
  }

  /**
   * Transforms an event in place; field names may be paths into nested objects (`user.email`).
   *
   * @returns false when the event is to be left out
   */
  apply(record: Record<string, unknown>): boolean {
    if (this.identity) return true;
    if (!this.selects(record)) return false;
    this.change(record);
    return true;
  }

  /** Whether `include` and `exclude` let an event pass. */
  selects(record: Record<string, unknown>): boolean {
    for (const rule of this.#options.include ?? []) {
      const value = lookUp(record, rule.field);
      if (value === undefined || !this.#matches(rule.field, 'include', value)) return false;
    }
    for (const rule of this.#options.exclude ?? []) {
      const value = lookUp(record, rule.field);
      if (value !== undefined && this.#matches(rule.field, 'exclude', value, true)) return false;
    }
    return true;
  }

  /** Redacts, removes, renames and adds, in place. */
  change(record: Record<string, unknown>): void {
    for (const field of new Set((this.#options.redact ?? []).map((rule) => rule.field))) {
      const { redact } = this.rule(field);
      for (const [object, key] of holdersOf(record, field))
        object[key] = redact.reduce((text, change) => change(text), textOf(object[key]));
    }
    for (const field of this.#removed)
      for (const [object, key] of holdersOf(record, field)) delete object[key];
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

/** All that a name means where something has to be hidden: the key, paths to it, and what came under a name twice. */
function holdersOf(record: Fields, field: string): [Fields, string][] {
  const found = sameNames(record, field).map((key): [Fields, string] => [record, key]);
  for (let dot = field.indexOf('.'); dot > 0; dot = field.indexOf('.', dot + 1)) {
    for (const key of sameNames(record, field.slice(0, dot))) {
      const inner = record[key];
      if (typeof inner === 'object' && inner !== null && !Array.isArray(inner))
        found.push(...holdersOf(inner as Fields, field.slice(dot + 1)));
    }
  }
  return found;
}

/** The keys of a name: where it came more than once in an object, the others are `name#2` and so on. */
function sameNames(record: Fields, name: string): string[] {
  const keys = Object.hasOwn(record, name) ? [name] : [];
  for (let n = 2; Object.hasOwn(record, `${name}#${n}`); n++) keys.push(`${name}#${n}`);
  return keys;
}

function lookUp(record: Fields, field: string): unknown {
  const holder = holderOf(record, field);
  return holder === null ? undefined : holder[0][holder[1]];
}

/** Sets a field even where its name is `__proto__`. */
function define(record: Fields, field: string, value: unknown): void {
  Object.defineProperty(record, field, { value, writable: true, enumerable: true, configurable: true });
}

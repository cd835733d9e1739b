/** The filters of other agents: what they change in the inputs that they are for. */
import { isContainerFormat } from '../../producer/format/container.ts';
import { parserFormat } from './formats.ts';
import { type CarriedInput, parts } from './inputs.ts';
import { isForAll, isForTag, mayOverlap, routePattern } from './match.ts';
import { multilineParser } from './multiline.ts';
import { byOwnNames, ownName } from './names.ts';
import { rubyPattern } from './regexp.ts';
import type { Note, Property, Section } from './section.ts';
import { fieldName } from './values.ts';
import { type Rule, vrlCondition, vrlProgram } from './vrl.ts';

/** @returns whether the filter has a counterpart */
export function applyFilter(
  filter: Section,
  parsers: readonly Section[],
  all: readonly CarriedInput[],
  missing: Note[],
): boolean {
  if (filter.type === 'parser' || filter.type === 'kubernetes' || filter.type === 'remap')
    return applyParser(filter, parsers, all, missing);
  if (filter.type === 'multiline') return applyMultiline(filter, parsers, all, missing);
  const unset: string[] = [];
  const transform = transformOf(filter, missing, unset);
  if (transform === null) return false;
  let applied = false;
  for (const { label, source, config: input, gaps } of all) {
    if (label !== filter.label) continue;
    if (isFor(filter, source, input)) {
      const left = withoutGaps(filter, withoutAdded(filter, transform, input, missing), gaps, missing);
      const seen = withTag(filter, left, input, missing);
      merge(
        input,
        byOwnNames(seen, (name) => ownName(name, filter.dialect, input)),
      );
      applied = true;
    } else if (input['type'] === 'forward' && filter.sources === undefined) {
      const seen = withTag(filter, withoutGaps(filter, transform, gaps, missing), input, missing);
      applied = addRoute(input, filter, seen, missing) || applied;
    }
  }
  if (!applied) missing.push(forNone(filter));
  leaveGap(filter, all, unset);
  return true;
}

/** Notes for the inputs of a filter which fields it would have set, and does not here. */
export function leaveGap(filter: Section, all: readonly CarriedInput[], fields: readonly string[]): void {
  for (const { label, source, config, gaps } of all) {
    const mayBeFor = config['type'] === 'forward' && filter.sources === undefined;
    if (label !== filter.label || !(mayBeFor || isFor(filter, source, config))) continue;
    for (const field of fields) gaps.add(field);
  }
}

/** The fields that Vector's sink leaves out. */
export function withoutFields(output: Section, all: readonly CarriedInput[]): void {
  const fields = output.takeAll('encoding.except_fields').map(({ value }) => value.replace(/^\./, ''));
  for (const { source, config } of fields.length === 0 ? [] : all)
    if (isFor(output, source, config))
      merge(
        config,
        byOwnNames({ remove: fields }, (name) => ownName(name, output.dialect, config)),
      );
}

/**
 * What is left without rules that an event meets only with a field which nothing sets here: they would drop all of them.
 * A rule that excludes events drops none too many.
 */
function withoutGaps(
  { line, type }: Section,
  transform: Record<string, unknown>,
  gaps: ReadonlySet<string>,
  missing: Note[],
): Record<string, unknown> {
  const rules = transform['include'] as Rule[] | undefined;
  if (rules === undefined || gaps.size === 0) return transform;
  const isUnset = ({ field }: Rule): boolean =>
    [...gaps].some((gap) => gap === '*' || field === gap || field.startsWith(`${gap}.`));
  for (const { field } of rules.filter(isUnset))
    missing.push({
      line,
      text: `filter ${type}: events are kept whatever ${field} is, because what sets it is not carried over`,
    });
  return { ...transform, include: rules.filter((rule) => !isUnset(rule)) };
}

/** `${tag}` and `${tag_parts[0]}` of fluentd's: known for an input whose tag is one. */
const TAG = /\$\{tag(?:_parts\[(\d+)\])?\}/g;

/** What is left with an input's tag in the values that are made of it. */
function withTag(
  { line }: Section,
  transform: Record<string, unknown>,
  { type, tag }: Readonly<Record<string, unknown>>,
  missing: Note[],
): Record<string, unknown> {
  const add = (transform['add'] as Record<string, string> | undefined) ?? {};
  const written = Object.entries(add).filter(([, value]) => value.search(TAG) >= 0);
  if (written.length === 0) return transform;
  const known = { ...add };
  for (const [field, value] of written) {
    if (type === 'forward' || String(tag).includes('$')) {
      delete known[field];
      missing.push({ line, text: `${field} ${value}: not computed from the event` });
    } else
      known[field] = value.replaceAll(TAG, (_, part?: string) =>
        part === undefined ? String(tag) : (String(tag).split('.')[Number(part)] ?? ''),
      );
  }
  return { ...transform, add: known };
}

/** What is left without rules for fields that an earlier filter has added: here they would act before, and never match. */
function withoutAdded(
  { line, type }: Section,
  transform: Record<string, unknown>,
  input: Readonly<Record<string, unknown>>,
  missing: Note[],
): Record<string, unknown> {
  const added = (input['add'] as Record<string, unknown> | undefined) ?? {};
  const left = { ...transform };
  for (const key of ['include', 'exclude']) {
    const rules = left[key] as { field: string }[] | undefined;
    if (rules === undefined) continue;
    left[key] = rules.filter(({ field }) => !Object.hasOwn(added, field));
    for (const { field } of rules.filter((rule) => Object.hasOwn(added, rule.field)))
      missing.push({ line, text: `filter ${type}: rules act before fields are added here, as ${field} is` });
  }
  return left;
}

/**
 * A filter for some tags of what clients send: a route, of which the first that matches applies alone.
 *
 * @returns whether that is said of it, or done
 */
function addRoute(
  input: Record<string, unknown>,
  filter: Section,
  transform: Record<string, unknown>,
  missing: Note[],
): boolean {
  if (Object.keys(transform).length === 0) return true;
  const match = routePattern(filter);
  if (match === null) return false;
  const routes = (input['routes'] as Record<string, unknown>[] | undefined) ?? [];
  const same = routes.find((route) => route['match'] === match);
  const before = routes.find((route) => route !== same && mayOverlap(String(route['match']), match));
  if (same) merge(same, transform);
  else input['routes'] = [...routes, { match, ...transform }];
  if (before)
    missing.push({
      line: filter.line,
      text: `filter ${filter.type}: of the routes ${before['match']} and ${match} an event takes the first that matches, alone`,
    });
  return true;
}

function forNone({ line, type }: Section): Note {
  return { line, text: `filter ${type}: no input has a tag that it is for` };
}

/** Whether all events of an input go through a filter. */
function isFor(filter: Section, source: string | undefined, input: Record<string, unknown>): boolean {
  if (filter.sources !== undefined) return source !== undefined && filter.sources.includes(source);
  if (isForAll(filter)) return true;
  return input['type'] !== 'forward' && isForTag(filter, String(input['tag']));
}

function merge(input: Record<string, unknown>, transform: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(transform)) {
    if (Array.isArray(value) && value.length === 0) continue;
    const before = input[key];
    input[key] = Array.isArray(value)
      ? [...((before as unknown[]) ?? []), ...value]
      : { ...(before as object), ...(value as object) };
  }
}

/** The counterpart of a filter: `include`, `exclude`, `add`, `rename`, `remove`. */
function transformOf(filter: Section, missing: Note[], unset: string[]): Record<string, unknown> | null {
  // For some events only, of which nothing here can say which: for all of them it would be another filter.
  const partial = ({ key }: Property): boolean => key === 'condition';
  if (filter.type !== 'filter' && filter.rest.some(partial)) return null;
  const result: Record<string, unknown[] | Record<string, string>> = {};
  if (filter.type === 'grep') {
    const { include, exclude } = grepOf(filter, missing);
    if (include.length > 0) result['include'] = include;
    if (exclude.length > 0) result['exclude'] = exclude;
  } else if (['record_transformer', 'record_modifier', 'modify', 'content_modifier'].includes(filter.type)) {
    Object.assign(result, recordOf(filter, missing, unset));
  } else if (filter.type === 'filter') {
    const kept = vrlCondition(filter, missing);
    if (kept.include.length > 0) result['include'] = kept.include;
    if (kept.exclude.length > 0) result['exclude'] = kept.exclude;
  } else return null;
  return result;
}

/** Fields that are set, renamed or removed. */
function recordOf(
  filter: Section,
  missing: Note[],
  unset: string[],
): Record<string, unknown[] | Record<string, string>> {
  const add: Record<string, string> = {};
  const rename: Record<string, string> = {};
  const pairs = [
    ...(filter.child('record')?.takeRest() ?? []),
    ...filter.takeAll('record', 'add', 'set').map(({ value, line }) => ({ ...pair(value), line })),
  ];
  const remove = parts(filter.takeAll('remove_keys', 'remove_key', 'remove'));
  for (const { value } of filter.takeAll('rename', 'hard_rename'))
    rename[pair(value).key] = pair(value).value;
  const modifier = filter.type === 'content_modifier' ? modifierOf(filter) : null;
  const redact: { field: string; mask: true }[] = [];
  if (modifier?.action === 'hash') {
    redact.push({ field: fieldName(modifier.key), mask: true });
    missing.push({ line: modifier.line, text: `hash of ${modifier.key}: it is masked instead` });
  } else if (modifier?.action === 'delete') remove.push(modifier.key);
  else if (modifier?.action === 'rename') rename[modifier.key] = modifier.value;
  else if (modifier !== null) pairs.push(modifier);
  for (const { key, value, line } of pairs) {
    const text = value
      .replaceAll(/"?#\{(?:Socket\.gethostname|hostname)\}"?|\$\{(?:HOSTNAME|hostname)\}/g, `\${hostname}`)
      .replaceAll(/\$\{ENV\[['"](\w+)['"]\]\}/g, `\${env:$1}`);
    if (/\$\{(?!hostname\}|env:|tag\}|tag_parts\[\d+\]\})|#\{|^\$\w/.test(text)) {
      unset.push(key);
      missing.push({ line, text: `${key} ${value}: not computed from the event` });
    } else add[key] = text;
  }
  return {
    ...(Object.keys(add).length > 0 ? { add } : {}),
    ...(Object.keys(rename).length > 0 ? { rename } : {}),
    ...(remove.length > 0 ? { remove: remove.map(fieldName) } : {}),
    ...(redact.length > 0 ? { redact } : {}),
  };
}

/** What Fluent Bit's content_modifier does to one field; null for what has no counterpart, which stays to be listed. */
function modifierOf(filter: Section): { action: string; key: string; value: string; line: number } | null {
  const action = filter.rest.find(({ key }) => key === 'action')?.value.toLowerCase() ?? '';
  if (!['insert', 'upsert', 'delete', 'rename', 'hash'].includes(action)) return null;
  filter.take('action');
  return { action, key: filter.take('key') ?? '', value: filter.take('value') ?? '', line: filter.line };
}

/** All of `include` must match, and none of `exclude` may: what other agents combine otherwise has no counterpart. */
function grepOf(filter: Section, missing: Note[]): { include: Rule[]; exclude: Rule[] } {
  const numbered = (name: string): string[] => Array.from({ length: 20 }, (_, i) => `${name}${i + 1}`);
  const ruleOf = (field: string, text: string, line: number): Rule[] => {
    const pattern = rubyPattern(text);
    if (pattern !== null) return [{ field: fieldName(field), pattern }];
    missing.push({ line, text: `filter grep: ${text}: this expression has no counterpart` });
    return [];
  };
  const rulesOf = (section: Section, type: string): Rule[] =>
    section.children
      .filter((child) => child.type === type)
      .flatMap((child) => ruleOf(child.take('key') ?? '', child.take('pattern') ?? '', child.line));
  const include = rulesOf(filter, 'regexp');
  const exclude = rulesOf(filter, 'exclude');
  for (const group of filter.children.filter(({ type }) => type === 'and' || type === 'or')) {
    const isAnd = group.type === 'and';
    const kinds = new Set(group.children.map(({ type }) => type));
    const single = group.children.length === 1;
    if (single || (kinds.size === 1 && kinds.has(isAnd ? 'regexp' : 'exclude'))) {
      include.push(...rulesOf(group, 'regexp'));
      exclude.push(...rulesOf(group, 'exclude'));
    } else {
      const why = isAnd ? 'events excluded only when all match' : 'events included when one matches';
      missing.push({ line: group.line, text: `<${group.type}>: ${why} have no counterpart` });
    }
  }
  const rule = ({ value, line }: Property): Rule[] => {
    const [, field = '', text = ''] = /^(\S+)\s+(.*)$/s.exec(value) ?? [];
    return ruleOf(field, text, line);
  };
  const reached = filter.dialect === 'fluent-bit' ? reachedRules(filter, missing) : [];
  const regex = [...filter.takeAll(...numbered('regexp')), ...reached.filter(({ key }) => key === 'regex')];
  const excluded = [
    ...filter.takeAll(...numbered('exclude')),
    ...reached.filter(({ key }) => key === 'exclude'),
  ];
  const operator = filter.take('logical_op')?.toLowerCase();
  const others = { and: excluded, or: regex }[operator ?? ''] ?? [];
  if (others.length === 0 || regex.length + excluded.length === 1) {
    include.push(...regex.flatMap(rule));
    exclude.push(...excluded.flatMap(rule));
  } else {
    const rules = regex.flatMap(rule);
    const fields = new Set(rules.map(({ field }) => field));
    if (operator === 'or' && fields.size === 1 && excluded.length === 0)
      include.push({
        field: rules[0]!.field,
        pattern: rules.map(({ pattern }) => `(?:${pattern})`).join('|'),
      });
    else
      missing.push({
        line: filter.line,
        text: `rules combined by logical_op ${operator} have no counterpart`,
      });
  }
  return { include, exclude };
}

/** Without a logical_op Fluent Bit takes the rules in order, and a Regex decides alone. */
function reachedRules(filter: Section, missing: Note[]): Property[] {
  const rules = filter.takeAll('regex', 'exclude');
  const operator = filter.rest.find(({ key }) => key === 'logical_op')?.value.toLowerCase();
  const decides = rules.findIndex(({ key }) => key === 'regex');
  if (decides < 0 || operator === 'and' || operator === 'or') return rules;
  for (const { key, value, line } of rules.slice(decides + 1))
    missing.push({
      line,
      text: `${key} ${value}: Fluent Bit looks at no rule behind a regex either, unless logical_op is set`,
    });
  return rules.slice(0, decides + 1);
}

/** A name and what is behind it, either of which Fluent Bit takes between quotes. */
function pair(text: string): { key: string; value: string } {
  const [, key = text, value = ''] = /^("(?:[^"\\]|\\.)*"|\S+)\s+(.*)$/s.exec(text) ?? [];
  const bare = (quoted: string): string =>
    /^"(?:[^"\\]|\\.)*"$/s.test(quoted) ? quoted.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') : quoted;
  return { key: bare(key), value: bare(value) };
}

/**
 * A filter that parses a field, which an input's format does here: fluentd's and Fluent Bit's parser, what Fluent Bit's
 * kubernetes merges, and a program of Vector.
 *
 * @returns whether the filter has a counterpart
 */
function applyParser(
  filter: Section,
  parsers: readonly Section[],
  all: readonly CarriedInput[],
  missing: Note[],
): boolean {
  const listed = missing.length;
  const made = parsing(filter, parsers, missing);
  if (made.unset !== undefined) leaveGap(filter, all, made.unset);
  else if (made.format === null && missing.length > listed) leaveGap(filter, all, ['*']);
  const inputs = all.filter(
    ({ label, source, config }) => label === filter.label && isFor(filter, source, config),
  );
  if (inputs.length === 0) missing.push(forNone(filter));
  for (const { config } of inputs) {
    const named = { ...config, format: made.format ?? config['format'] };
    merge(
      config,
      byOwnNames(made.transform, (name) => ownName(name, filter.dialect, named)),
    );
    if (made.format === null) continue;
    if (config['type'] === 'forward')
      missing.push({ line: filter.line, text: `filter ${filter.type}: events of clients are not parsed` });
    else {
      config['format'] = nested(config['format'] as Format | undefined, made.format, made.field);
      // The line is parsed: nothing has the name any more that it was given as text.
      const { message, ...rename } = (config['rename'] as Record<string, string> | undefined) ?? {};
      if (message === made.field) config['rename'] = rename;
    }
  }
  return true;
}

/** Fluent Bit's multiline filter, which joins what an input has read. */
function applyMultiline(
  filter: Section,
  parsers: readonly Section[],
  all: readonly CarriedInput[],
  missing: Note[],
): boolean {
  const inputs = all.filter(
    ({ source, config }) => config['type'] === 'tail' && isFor(filter, source, config),
  );
  if (inputs.length === 0) missing.push(forNone(filter));
  filter.takeAll('multiline.key_content', 'buffer', 'mode', 'emitter_name');
  const multiline = multilineParser(filter, parsers, missing);
  for (const { config } of inputs) if (multiline) config['multiline'] ??= multiline;
  return true;
}

type Format = string | Readonly<Record<string, unknown>>;

interface Parsing {
  readonly format: Format | null;
  /** The field that it parses. */
  readonly field: string;
  readonly transform: Record<string, unknown>;
  /** Fields that it would have set, and does not here. */
  readonly unset?: readonly string[];
}

function parsing(filter: Section, parsers: readonly Section[], missing: Note[]): Parsing {
  if (filter.type === 'remap') return { field: 'message', ...vrlProgram(filter, missing) };
  if (filter.type === 'kubernetes') {
    const merged = /^(on|true|yes)$/i.test(filter.take('merge_log') ?? '');
    missing.push({
      line: filter.line,
      text: 'filter kubernetes: labels and annotations; namespace, pod and container come from the path',
    });
    const unset = ['kubernetes.labels', 'kubernetes.annotations'];
    return { format: merged ? 'json' : null, field: 'log', transform: {}, unset };
  }
  const field = fieldName(filter.take('key_name') ?? 'message');
  filter.takeAll('reserve_data', 'reserve_time', 'remove_key_name_field', 'unescape_key');
  // The default, and what is done here.
  if (/^(off|false|no)$/i.test(filter.rest.find(({ key }) => key === 'preserve_key')?.value ?? ''))
    filter.take('preserve_key');
  const { format } = parserFormat(filter, parsers, missing);
  return { format: format === 'none' ? null : format, field, transform: {} };
}

/** The format of a line in one of whose fields another one is. */
function nested(outer: Format | undefined, inner: Format, field: string): Format {
  const type = typeof outer === 'object' ? outer['type'] : outer;
  // The line is the message, which had no format so far.
  if (type === undefined || type === 'none') return inner;
  const own = isContainerFormat(String(type)) ? 'message' : field;
  return {
    ...(typeof outer === 'object' ? outer : { type }),
    inner,
    ...(own === 'message' ? {} : { inner_field: own }),
  };
}

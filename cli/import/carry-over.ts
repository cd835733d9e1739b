/** Makes an agent.yaml of another agent's sections, and lists line by line what has no counterpart. */
import { formatOf } from './formats.ts';
import type { Property, Section } from './section.ts';

export interface Note {
  readonly line: number;
  readonly text: string;
}

/** Inputs and stream as agent.yaml has them. */
export interface Imported {
  readonly config: { stream: Record<string, string>; inputs: Record<string, unknown>[] };
  /** What could not be carried over. */
  readonly missing: readonly Note[];
  /** What tailrace does by itself. */
  readonly needless: readonly Note[];
}

/** Keys that have no counterpart because the agent's own spool and ledger do what they are for. */
const NEEDLESS =
  /^(pos_file|db|db\..*|mem_buf_limit|storage\..*|buffer.*|chunk.*|flush.*|retry.*|num_threads|data_dir|skip_long_lines|compression|aggregation|workers|.*checksum.*|fingerprint\..*|follow_inodes|enable_watch_timer|encoding\.codec|include_time_key|data_key|formatter|random_partition_key)$/;
const KINESIS = new Set([
  'kinesis_streams',
  'kinesis_streams_aggregated',
  'kinesis',
  'aws_kinesis_streams',
  'kinesis_producer',
]);

export function carryOver(sections: readonly Section[]): Imported {
  const missing: Note[] = [];
  const needless: Note[] = [];
  const parsers = sections.filter(({ role }) => role === 'parser');
  const inputs: CarriedInput[] = [];
  const carried: Section[] = [];
  let stream: Record<string, string> | null = null;
  const unknown = (section: Section, why = 'has no counterpart'): void => {
    missing.push({
      line: section.line,
      text: `${section.role === 'other' ? '' : `${section.role} `}${section.type}: ${why}`,
    });
  };
  for (const section of sections.filter(({ role }) => role === 'input')) {
    const label = section.take('@label') ?? section.label;
    const config = inputOf(section, parsers, missing);
    if (config === null) unknown(section);
    else {
      inputs.push({ label, config });
      carried.push(section);
    }
  }
  // A filter is for events of all inputs, wherever those stand.
  for (const section of sections) {
    if (section.role === 'filter') {
      if (applyFilter(section, inputs, missing)) carried.push(section);
      else unknown(section);
    } else if (section.role === 'output') {
      if (!KINESIS.has(section.type)) unknown(section, 'events go to Kinesis only');
      else if (stream !== null) unknown(section, 'an agent has one stream: this one is a second');
      else {
        stream = streamOf(section);
        carried.push(section);
      }
    } else if (section.role === 'other') unknown(section);
  }
  carried.push(...parsers.filter(({ taken }) => taken.length > 0));
  for (const section of carried) {
    leftOvers(section, missing, needless);
    // Filters name those of their values that nothing computes themselves.
    for (const { key, value, line } of section.role === 'filter' ? [] : section.taken)
      if (value.includes('#{')) missing.push({ line, text: `${key} ${value}: not computed` });
  }
  return { config: { stream: stream ?? {}, inputs: inputs.map(({ config }) => config) }, missing, needless };
}

interface CarriedInput {
  /** The label that its events go to: filters of another one do not see them. */
  readonly label: string;
  readonly config: Record<string, unknown>;
}

/** What of a section, and of all sections in it, nobody has taken. */
function leftOvers(section: Section, missing: Note[], needless: Note[]): void {
  for (const property of section.rest) leftOver(property, missing, needless);
  for (const child of section.children) {
    const argument = child.match.join(' ');
    if (child.type === 'buffer' || child.type === 'format')
      needless.push({ line: child.line, text: `<${child.type}>: the spool does this` });
    else {
      if (argument !== '') missing.push({ line: child.line, text: `<${child.type} ${argument}>` });
      leftOvers(child, missing, needless);
    }
  }
}

function leftOver({ key, value, line }: Property, missing: Note[], needless: Note[]): void {
  if (NEEDLESS.test(key)) needless.push({ line, text: `${key}: the spool and the ledger do this` });
  else missing.push({ line, text: `${key} ${value}`.trim() });
}

function streamOf(section: Section): Record<string, string> {
  const name = section.take('stream_name', 'stream');
  const region = section.take('region');
  const endpoint = section.take('endpoint');
  return {
    ...(name === undefined ? {} : { name }),
    ...(region === undefined ? {} : { region }),
    // Fluent Bit's is a host.
    ...(endpoint === undefined
      ? {}
      : { endpoint: endpoint.includes('://') ? endpoint : `https://${endpoint}` }),
  };
}

function inputOf(
  section: Section,
  parsers: readonly Section[],
  missing: Note[],
): Record<string, unknown> | null {
  if (section.type === 'tail' || section.type === 'file') return tailOf(section, parsers, missing);
  if (section.type === 'forward' || section.type === 'fluent') return forwardOf(section);
  return null;
}

const SECONDS = /^\d+(\.\d+)?$/;
const duration = (text: string): string => (SECONDS.test(text) ? `${text}s` : text);
const list = (values: readonly string[]): string | readonly string[] =>
  values.length === 1 ? values[0]! : values;
const parts = (properties: readonly Property[]): string[] =>
  properties
    .flatMap(({ value }) => value.split(','))
    .map((part) => part.trim().replaceAll(/^\[?"?|"?\]?$/g, ''))
    .filter(Boolean);

function tailOf(
  section: Section,
  parsers: readonly Section[],
  missing: Note[],
): Record<string, unknown> | null {
  const path = parts(section.takeAll('path', 'include'));
  if (path.length === 0) return null;
  const exclude = parts(section.takeAll('exclude_path', 'exclude'));
  const tag = (section.take('tag') ?? 'tail').replace('*', `\${path}`);
  const fromHead = section.take('read_from_head', 'read_from');
  const refresh = section.take('refresh_interval');
  const rotate = section.take('rotate_wait');
  return {
    type: 'tail',
    path: list(path),
    ...(exclude.length === 0 ? {} : { exclude_path: list(exclude) }),
    tag,
    format: formatOf(section, parsers, missing),
    // Both others begin at the end of a file unless configured otherwise; Vector at its beginning.
    ...(section.type === 'file' && fromHead !== 'end'
      ? {}
      : { read_from_head: /^(true|on|yes)$/i.test(fromHead ?? '') }),
    ...(refresh === undefined ? {} : { refresh_interval: duration(refresh) }),
    ...(rotate === undefined ? {} : { rotate_wait: duration(rotate) }),
  };
}

function forwardOf(section: Section): Record<string, unknown> {
  // Vector's is the source's name, and the events keep the tags that clients gave them.
  if (section.type === 'fluent') section.take('tag');
  const host = section.take('bind', 'listen') ?? '0.0.0.0';
  const listen = section.take('address') ?? `${host}:${section.take('port') ?? 24224}`;
  const security = section.child('security');
  const name = (security ?? section).take('self_hostname');
  const key = (security ?? section).take('shared_key');
  security?.take('user_auth');
  const users = (security?.children ?? [])
    .filter(({ type }) => type === 'user')
    .map((user) => ({
      username: user.take('username') ?? '',
      password: user.take('password') ?? '',
    }));
  if (key === undefined) return { type: 'forward', listen };
  return {
    type: 'forward',
    listen,
    security: {
      ...(name === undefined ? {} : { self_hostname: name }),
      shared_key: key,
      ...(users.length === 0 ? {} : { users }),
    },
  };
}

/** @returns whether the filter has a counterpart */
function applyFilter(filter: Section, all: readonly CarriedInput[], missing: Note[]): boolean {
  const transform = transformOf(filter, missing);
  if (transform === null) return false;
  const everywhere =
    filter.match.length === 0 || filter.match.some((pattern) => pattern === '**' || pattern === '*');
  const inputs = all.filter(({ label }) => label === filter.label).map(({ config }) => config);
  let applied = false;
  for (const input of inputs) {
    if (
      everywhere ||
      (input['type'] === 'tail' && filter.match.some((pattern) => matches(pattern, String(input['tag']))))
    ) {
      merge(input, transform);
      applied = true;
    } else if (input['type'] === 'forward') {
      const routes = filter.match.map((match) => ({ match, ...transform }));
      input['routes'] = [...((input['routes'] as unknown[] | undefined) ?? []), ...routes];
      applied = true;
    }
  }
  if (!applied)
    missing.push({ line: filter.line, text: `filter ${filter.type}: no input has a tag that it is for` });
  return true;
}

/** `*` is any part of a tag and `**` any number of parts; in Fluent Bit `*` is anything. */
function matches(pattern: string, tag: string): boolean {
  const escaped = pattern
    .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('\\.**', '(\\..*)?')
    .replaceAll(/\*+/g, '.*');
  return new RegExp(`^${escaped}$`).test(tag);
}

function merge(input: Record<string, unknown>, transform: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(transform)) {
    const before = input[key];
    input[key] = Array.isArray(value)
      ? [...((before as unknown[]) ?? []), ...value]
      : { ...(before as object), ...(value as object) };
  }
}

/** The counterpart of a filter: `include`, `exclude`, `add`, `rename`, `remove`. */
function transformOf(filter: Section, missing: Note[]): Record<string, unknown> | null {
  // For some events only, of which nothing here can say which: for all of them it would be another filter.
  if (filter.rest.some(({ key }) => key === 'condition' || key === 'match_regex')) return null;
  const result: Record<string, unknown[] | Record<string, string>> = {};
  if (filter.type === 'grep') {
    const { include, exclude } = grepOf(filter, missing);
    if (include.length > 0) result['include'] = include;
    if (exclude.length > 0) result['exclude'] = exclude;
  } else if (['record_transformer', 'record_modifier', 'modify'].includes(filter.type)) {
    const add: Record<string, string> = {};
    const rename: Record<string, string> = {};
    const pairs = [
      ...(filter.child('record')?.takeRest() ?? []),
      ...filter.takeAll('record', 'add', 'set').map(({ value, line }) => ({ ...pair(value), line })),
    ];
    for (const { key, value, line } of pairs) {
      const text = value.replaceAll(/"?#\{Socket\.gethostname\}"?|\$\{HOSTNAME\}/g, `\${hostname}`);
      if (/\$\{(?!hostname\}|env:)|#\{/.test(text))
        missing.push({ line, text: `${key} ${value}: not computed from the event` });
      else add[key] = text;
    }
    for (const { value } of filter.takeAll('rename', 'hard_rename'))
      rename[pair(value).key] = pair(value).value;
    const remove = parts(filter.takeAll('remove_keys', 'remove_key', 'remove'));
    if (Object.keys(add).length > 0) result['add'] = add;
    if (Object.keys(rename).length > 0) result['rename'] = rename;
    if (remove.length > 0) result['remove'] = remove;
  } else return null;
  return result;
}

/** All of `include` must match, and none of `exclude` may: what other agents combine otherwise has no counterpart. */
function grepOf(filter: Section, missing: Note[]): { include: object[]; exclude: object[] } {
  const numbered = (name: string): string[] => Array.from({ length: 20 }, (_, i) => `${name}${i + 1}`);
  const rulesOf = (section: Section, type: string): object[] =>
    section.children
      .filter((child) => child.type === type)
      .map((child) => ({ field: child.take('key') ?? '', pattern: child.take('pattern') ?? '' }));
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
  const rule = ({ value }: Property): object => {
    const [, field = '', pattern = ''] = /^\$?\.?(\S+)\s+(.*)$/s.exec(value) ?? [];
    return { field, pattern };
  };
  const regex = filter.takeAll('regex', ...numbered('regexp'));
  const excluded = filter.takeAll('exclude', ...numbered('exclude'));
  const operator = filter.take('logical_op')?.toLowerCase();
  const others = { and: excluded, or: regex }[operator ?? ''] ?? [];
  if (others.length > 0 && regex.length + excluded.length > 1)
    missing.push({ line: filter.line, text: `rules combined by logical_op ${operator} have no counterpart` });
  else {
    include.push(...regex.map(rule));
    exclude.push(...excluded.map(rule));
  }
  return { include, exclude };
}

function pair(text: string): { key: string; value: string } {
  const [, key = text, value = ''] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
  return { key, value };
}

/** The inputs of other agents as agent.yaml has them. */
import { dirname, join } from 'node:path';
import { formatOf } from './formats.ts';
import type { Note, Property, Section } from './section.ts';

export interface CarriedInput {
  /** The label that its events go to: filters of another one do not see them. */
  readonly label: string;
  /** Its name where filters are wired to inputs by name. */
  readonly source: string | undefined;
  readonly line: number;
  readonly config: Record<string, unknown>;
  /** Fields that nothing sets here as the other agent did, `*` for all: a rule that wants one of them would drop every event. */
  readonly gaps: Set<string>;
}

export function inputOf(
  section: Section,
  parsers: readonly Section[],
  missing: Note[],
): Record<string, unknown> | null {
  if (section.type === 'tail' || section.type === 'file') return tailOf(section, parsers, missing);
  if (section.type === 'forward' || section.type === 'fluent') return forwardOf(section, missing);
  if (section.type === 'systemd' || section.type === 'journald') return journaldOf(section, missing);
  return null;
}

const SECONDS = /^\d+(\.\d+)?$/;
const duration = (text: string): string => (SECONDS.test(text) ? `${text}s` : text);
const list = (values: readonly string[]): string | readonly string[] =>
  values.length === 1 ? values[0]! : values;
/** The items of lists: those of JSON, or separated by commas. */
export const parts = (properties: readonly Property[]): string[] =>
  properties
    .flatMap(({ value }) => (value.startsWith('[') ? value.replaceAll(/^\[|\]$/g, '') : value).split(','))
    .map((part) => part.trim().replaceAll(/^"|"$/g, ''))
    .filter(Boolean);

function tailOf(
  section: Section,
  parsers: readonly Section[],
  missing: Note[],
): Record<string, unknown> | null {
  const path = parts(section.takeAll('path', 'include'));
  if (path.length === 0) return null;
  const folders = [...new Set(path.map(dirname))];
  const exclude = parts(section.takeAll('exclude_path', 'exclude')).flatMap((pattern) => {
    if (pattern.includes('/')) return [pattern];
    // Fluent Bit's patterns are for the whole path, of which `*` is any part: no path begins with a letter.
    if (section.dialect === 'fluent-bit' && !/^[*?[]/.test(pattern)) {
      missing.push({
        line: section.line,
        text: `exclude_path ${pattern}: excludes nothing in Fluent Bit either, where it is for the whole path: write */${pattern}`,
      });
      return [];
    }
    return folders.map((folder) => join(folder, pattern));
  });
  const tag = tagOf(section, missing);
  const fromHead = section.take('read_from_head', 'read_from');
  const cooldown = section.take('glob_minimum_cooldown_ms');
  const refresh = cooldown === undefined ? section.take('refresh_interval') : `${cooldown}ms`;
  const rotate = section.take('rotate_wait');
  return {
    type: 'tail',
    path: list(path),
    ...(exclude.length === 0 ? {} : { exclude_path: list(exclude) }),
    tag,
    ...formatOf(section, parsers, missing),
    ...messageKeyOf(section),
    ...pathKeyOf(section),
    ...encodingOf(section),
    ...(/^(on|true|yes)$/i.test(section.take('skip_empty_lines') ?? '')
      ? { exclude: [{ field: 'message', pattern: '^$' }] }
      : {}),
    // Both others begin at the end of a file unless configured otherwise; Vector at its beginning.
    ...(section.type === 'file' && fromHead !== 'end'
      ? {}
      : { read_from_head: /^(true|on|yes)$/i.test(fromHead ?? '') }),
    ...takeOverOf(section, missing),
    ...(refresh === undefined ? {} : { refresh_interval: duration(refresh) }),
    ...(rotate === undefined ? {} : { rotate_wait: duration(rotate) }),
  };
}

/** What other agents may call a line that has no format. */
function messageKeyOf(section: Section): Record<string, unknown> {
  const parse = section.child('parse') ?? section;
  const isText = [undefined, 'none'].includes(
    parse.taken.find(({ key }) => ['@type', 'format', 'parser'].includes(key))?.value,
  );
  const key = isText ? (parse.take('message_key') ?? section.take('key')) : undefined;
  return key === undefined || key === 'message' ? {} : { rename: { message: key } };
}

/** The field that carries a file's path. */
function pathKeyOf(section: Section): Record<string, unknown> {
  const key = section.take('path_key', 'file_key');
  return key === undefined || key === '' ? {} : { add: { [key]: `\${file_path}` } };
}

/** fluentd's and Fluent Bit's `*` is the path; what Fluent Bit cuts out of the path by an expression has no counterpart. */
function tagOf(section: Section, missing: Note[]): string {
  const written = section.take('tag') ?? 'tail';
  const expression = section.take('tag_regex');
  const tag = written.replaceAll(/<\w+>/g, `\${name}`).replace('*', `\${path}`);
  if (expression !== undefined)
    missing.push({
      line: section.line,
      text: `tag_regex ${expression}: the tag is ${tag}, with the file's name without its ending`,
    });
  return tag;
}

function forwardOf(section: Section, missing: Note[]): Record<string, unknown> {
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
  const written = section.take('tag_prefix', 'add_tag_prefix');
  if (written !== undefined && section.dialect === 'fluent-bit' && !written.endsWith('.'))
    missing.push({
      line: section.line,
      text: `tag_prefix ${written}: a dot comes between it and the tag here`,
    });
  const prefix = written?.replace(/\.$/, '');
  const input = {
    type: 'forward',
    listen,
    ...(prefix === undefined ? {} : { tag_prefix: prefix }),
    ...tlsOf(section),
  };
  if (key === undefined) return input;
  return {
    ...input,
    security: {
      ...(name === undefined ? {} : { self_hostname: name }),
      shared_key: key,
      ...(users.length === 0 ? {} : { users }),
    },
  };
}

/** What decrypts: fluentd's section, Fluent Bit's and Vector's properties. */
function tlsOf(section: Section): Record<string, unknown> {
  const transport = section.children.find(({ type, match }) => type === 'transport' && match[0] === 'tls');
  const holder = transport ?? section;
  const on = holder.take('tls', 'tls.enabled');
  const cert = holder.take('cert_path', 'tls.crt_file');
  const key = holder.take('private_key_path', 'tls.key_file');
  if (cert === undefined || key === undefined || /^(off|false|no)$/i.test(on ?? '')) return {};
  const ca = holder.take('ca_path', 'client_ca_path', 'tls.ca_file');
  const auth = holder.take('client_cert_auth', 'tls.verify_certificate');
  const required = ca !== undefined && /^(true|on|yes)$/i.test(auth ?? '');
  return {
    tls: { cert, key, ...(ca === undefined ? {} : { ca }), ...(required ? { client_auth: true } : {}) },
  };
}

/** The encoding that a file is read from, where it has a label in the WHATWG encoding standard. */
function encodingOf(section: Section): Record<string, string> {
  const label = section.rest.find(({ key }) => key === 'from_encoding' || key === 'encoding.charset')?.value;
  if (label === undefined) return {};
  try {
    const { encoding } = new TextDecoder(label);
    section.takeAll('from_encoding', 'encoding', 'encoding.charset');
    return encoding === 'utf-8' ? {} : { encoding: label.toLowerCase() };
  } catch {
    return {};
  }
}

/** fluentd's and Fluent Bit's systemd, and Vector's journald. */
function journaldOf(section: Section, missing: Note[]): Record<string, unknown> {
  const filters = parts(section.takeAll('systemd_filter', 'include_units'));
  const units = filters.flatMap((filter) => {
    if (!filter.includes('=')) return [filter.includes('.') ? filter : `${filter}.service`];
    return filter.startsWith('_SYSTEMD_UNIT=') ? [filter.slice('_SYSTEMD_UNIT='.length)] : [];
  });
  const matches = [
    ...filters.filter((filter) => filter.includes('=') && !filter.startsWith('_SYSTEMD_UNIT=')),
    // Keys are in lower case by now, which those of the journal never are.
    ...section
      .takeAll(...section.rest.map(({ key }) => key).filter((key) => key.startsWith('include_matches.')))
      .map(({ key, value }) => `${key.slice('include_matches.'.length).toUpperCase()}=${value}`),
  ];
  const directory = section.take('path', 'journal_directory');
  const tail = section.take('read_from_tail', 'since_now');
  const fromHead = section.take('read_from_head');
  // Units are alternatives, as are matches of one field.
  if (section.rest.some(({ key, value }) => key === 'systemd_filter_type' && /^or$/i.test(value)))
    section.take('systemd_filter_type');
  section.takeAll('strip_underscores', 'lowercase');
  const fromEnd = fromHead === undefined ? /^(true|on|yes)$/i : /^(false|off|no)$/i;
  return {
    type: 'journald',
    tag: (section.take('tag') ?? 'journal').replace(/\.?\*/, ''),
    ...(units.length === 0 ? {} : { units }),
    ...(matches.length === 0 ? {} : { matches }),
    ...(directory === undefined ? {} : { directory }),
    ...(fromEnd.test(fromHead ?? tail ?? '') ? { read_from_head: false } : {}),
    ...takeOverOf(section, missing),
  };
}

/** Keys by which Vector knows a file otherwise than by its first line. */
const OTHER_FINGERPRINT = ['fingerprint.lines', 'fingerprint.ignored_header_bytes', 'fingerprint.bytes'];

/** Where the other agent keeps what it has read, and the first start goes on. */
function takeOverOf(section: Section, missing: Note[]): Record<string, unknown> {
  const { dialect, line, rest } = section;
  if (dialect !== 'vector') {
    const storage = section.children.find(({ type }) => type === 'storage');
    const file = section.take('pos_file', 'db') ?? storage?.take('path');
    storage?.takeAll('@type', 'type', 'persistent');
    return file === undefined ? {} : { take_over: { agent: dialect, file } };
  }
  const folder = section.take('data_dir')!;
  const name = section.sources![0]!;
  if (rest.some(({ key }) => OTHER_FINGERPRINT.includes(key))) {
    missing.push({ line, text: `positions: this input knows files by more than their first line` });
    return {};
  }
  const file = section.type === 'journald' ? 'checkpoint.txt' : 'checkpoints.json';
  return { take_over: { agent: dialect, file: join(folder, name, file) } };
}

/** Names of fields: what an event's fields are called elsewhere, and what the formats here call them. */
import type { Dialect } from './section.ts';
import type { Rule } from './vrl.ts';

const JOURNAL = {
  MESSAGE: 'message',
  PRIORITY: 'severity',
  SYSLOG_FACILITY: 'facility',
  SYSLOG_IDENTIFIER: 'ident',
  _HOSTNAME: 'host',
  _PID: 'pid',
  _SYSTEMD_UNIT: 'unit',
};

/** What Fluent Bit's and fluentd's kubernetes filters look up, and here the path of a container's log says. */
const KUBERNETES = {
  'kubernetes.namespace_name': 'kubernetes.namespace',
  'kubernetes.pod_name': 'kubernetes.pod',
  'kubernetes.container_name': 'kubernetes.container',
  'kubernetes.pod_id': 'kubernetes.pod_uid',
};

/** By the format that makes them, or by the input that does. */
const NAMES: Readonly<Record<Dialect, Readonly<Record<string, Readonly<Record<string, string>>>>>> = {
  fluentd: { journald: JOURNAL, docker: KUBERNETES, cri: KUBERNETES },
  'fluent-bit': {
    none: { log: 'message' },
    docker: { log: 'message', ...KUBERNETES },
    cri: { log: 'message', ...KUBERNETES },
    container: { log: 'message', ...KUBERNETES },
    journald: JOURNAL,
  },
  vector: {
    nginx: { client: 'remote', status: 'code', timestamp: 'time' },
    apache2: { identity: 'ident', status: 'code', timestamp: 'time' },
  },
};

/**
 * What a field of an input is called here. Rules of tailrace act before fields are renamed: a field that an earlier filter
 * has renamed has its first name.
 */
export function ownName(name: string, dialect: Dialect, input: Readonly<Record<string, unknown>>): string {
  const { format } = input;
  const renamed = Object.entries((input['rename'] as Record<string, string> | undefined) ?? {});
  const first = renamed.find(([, to]) => to === name);
  if (first) return first[0];
  const type = typeof format === 'object' ? (format as { type?: unknown })?.type : format;
  const names = NAMES[dialect][input['type'] === 'journald' ? 'journald' : String(type ?? 'none')];
  return input['type'] === 'forward' ? name : (names?.[name] ?? name);
}

/** Transforms of events with the names that their fields have here. */
export function byOwnNames(
  { include, exclude, redact, remove, rename, ...rest }: Record<string, unknown>,
  own: (name: string) => string,
): Record<string, unknown> {
  const rules = (list: unknown): Rule[] | undefined =>
    (list as Rule[] | undefined)?.map(({ field, pattern }) => ({ field: own(field), pattern }));
  const changed = {
    include: rules(include),
    exclude: rules(exclude),
    redact: (redact as { field: string }[] | undefined)?.map((each) => ({ ...each, field: own(each.field) })),
    remove: (remove as string[] | undefined)?.map(own),
    rename:
      rename &&
      Object.fromEntries(Object.entries(rename).map(([from, to]) => [own(from), to as string] as const)),
  };
  return {
    ...rest,
    ...Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined)),
  };
}

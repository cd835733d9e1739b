/**
 * The columns that the fields of archived events make in SQL and in Parquet: by name where a format defines the field, else by
 * the values that were seen.
 */

export type ColumnType = 'INTEGER' | 'BIGINT' | 'DOUBLE' | 'BOOLEAN' | 'VARCHAR' | 'JSON';

export interface Column {
  /** The field's name in the event, and the column's. */
  readonly name: string;
  readonly type: ColumnType;
  /** Whether the type is that of a format's field, or requested: what does not fit is in `rest` then. */
  readonly known: boolean;
}

/**
 * What a JSON value is, as DuckDB's json_type says it, but for texts that are numbers, numbers beyond a BIGINT, and those that
 * are whole and written with a fraction or an exponent.
 */
type Seen = 'BIGINT' | 'HUGE' | 'WHOLE' | 'DOUBLE' | 'BOOLEAN' | 'VARCHAR' | 'NUMBER_TEXT' | 'NESTED';

/** Columns that every event has besides those of its fields; a field of such a name is in `rest`. */
const EVENT_COLUMNS = ['tag', 'time', 'hour', 'rest'] as const;
/** DuckDB reads these as functions, unless a column has the name: fields of these names are in `rest` alone. */
export const FUNCTION_NAMES: ReadonlySet<string> = new Set(['current_timestamp', 'current_date']);
/** Fields that hold the event's time, as the inputs name it; the first that has one of the event's hour counts. */
export const TIME_FIELDS = ['_time', 'time'] as const;
/** A table of more columns helps nobody: further fields are in `rest`. */
const MAX_COLUMNS = 500;

/** Numbers whatever a sample holds: names of nginx, HAProxy, Envoy, load balancers and others that mean nothing else. */
const NUMBERS: readonly (readonly [RegExp, ColumnType])[] = [
  [
    /^(?:request_time|connection_time|gzip_ratio|session_time|upstream_\w+_time|\w+_processing_time)$/,
    'DOUBLE',
  ],
  [/^upstream_service_time_ms$/, 'DOUBLE'],
  [/^(?:upstream_status|target_status_code|(?:remote|server|local)_port)$/, 'INTEGER'],
  [
    /^(?:body_bytes_sent|bytes_sent|bytes_received|received_bytes|bytes_transferred|request_length)$/,
    'BIGINT',
  ],
  [/^(?:upstream_bytes_\w+|upstream_response_length|bytes_(?:from|to)_(?:client|upstream))$/, 'BIGINT'],
  [/^(?:connections_\w+|connection_requests|keepalive_requests|request_count|content_length)$/, 'BIGINT'],
  [/^(?:time_(?:request|queue|connect|response|total)|actconn|feconn|beconn|srv_conn)$/, 'BIGINT'],
  [/^(?:srv_queue|backend_queue|tcpinfo_\w+|matched_rule_priority)$/, 'BIGINT'],
  [/^(?:duration_us|first_byte_us|commit_time_ms)$/, 'BIGINT'],
];
/** Numbers unless a sample has text: applications use these names for other things as well. */
const MOSTLY_NUMBERS: readonly (readonly [RegExp, ColumnType])[] = [
  [/^(?:code|port|pri)$/, 'INTEGER'],
  [/^(?:size|pid|tid|connection|retries|time_ms)$/, 'BIGINT'],
  [/^duration(?:_\w+)?$/, 'DOUBLE'],
];
/** One value for each upstream that a request was passed to: a text of several numbers where there were several. */
const LISTS = /^upstream_\w+$/;
/** Text whatever a sample holds, such as a user called 12. */
const TEXTS =
  /^(?:remote|host|user|ident|method|path|protocol|referer|agent|request|message|level|unit|server_name|request_id|http_\w+)$/;

/** Whether a format defines a field of this name. */
function isDefined(name: string): boolean {
  return TEXTS.test(name) || [...NUMBERS, ...MOSTLY_NUMBERS].some(([pattern]) => pattern.test(name));
}

/** Which fields events have, and which kinds of values. */
export class FieldsSeen {
  readonly #fields = new Map<string, Set<Seen>>();

  /** @param line of NDJSON; one that is not an object says nothing */
  add(line: string): void {
    let event: unknown;
    try {
      event = JSON.parse(line, wholeApart);
    } catch {
      return;
    }
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return;
    for (const [name, value] of Object.entries(event)) {
      const seen = this.#kindsOf(name);
      const kind = kindOf(value);
      if (kind !== null) seen.add(kind);
    }
  }

  /** @param columns in which values of such fields are stored: further ones only widen their types */
  addColumns(columns: readonly Pick<Column, 'name' | 'type'>[]): void {
    for (const { name, type } of columns) this.#kindsOf(name).add(KIND_OF_COLUMN[type]);
  }

  /**
   * Every field that was seen, and its type for readers that fail at a value of another one: a number or a boolean where
   * all values were, and where the name does not stand for lists such as the times of several upstreams.
   */
  strictTypes(asked: ReadonlyMap<string, ColumnType> = new Map()): Map<string, ColumnType> {
    const names = new Set([...this.#fields.keys(), ...asked.keys()]);
    return new Map([...names].map((name) => [name, asked.get(name) ?? this.#strictType(name)]));
  }

  #strictType(name: string): ColumnType {
    const seen = this.#fields.get(name) ?? new Set<Seen>();
    const { type } = columnOf(name, seen);
    if (type === 'VARCHAR' || type === 'JSON' || type === 'BOOLEAN') return type;
    if (seen.has('HUGE') || LISTS.test(name)) return 'VARCHAR';
    const own = inferred(seen);
    if (own === 'DOUBLE' || (own === 'BIGINT' && seen.has('WHOLE'))) return 'DOUBLE';
    return own === 'BIGINT' ? type : 'VARCHAR';
  }

  #kindsOf(name: string): Set<Seen> {
    let seen = this.#fields.get(name);
    if (!seen) {
      seen = new Set();
      this.#fields.set(name, seen);
    }
    return seen;
  }

  /**
   * The columns of these fields, in the order in which they were first seen.
   *
   * @param asked types that somebody asked for, by name; such columns exist whether they were seen or not
   * @param mentioned names that have a column as well when a format defines them, or when nothing was seen at all
   */
  columns(asked: ReadonlyMap<string, ColumnType> = new Map(), mentioned: Iterable<string> = []): Column[] {
    const isEmpty = this.#fields.size === 0;
    const more = [...mentioned].filter((name) => isEmpty || isDefined(name));
    const names = new Set([...this.#fields.keys(), ...asked.keys(), ...more]);
    // Names of SQL's columns do not differ by case.
    const reserved = new Set([...asked.keys()].map((name) => name.toLowerCase()));
    const taken = new Set<string>([...EVENT_COLUMNS, ...TIME_FIELDS, ...FUNCTION_NAMES]);
    const columns: Column[] = [];
    let room = MAX_COLUMNS - asked.size;
    for (const name of names) {
      const folded = name.toLowerCase();
      // SQL ends at a NUL.
      if (name === '' || name.includes('\0') || taken.has(folded)) continue;
      const wanted = asked.get(name);
      if (wanted === undefined && (reserved.has(folded) || room-- <= 0)) continue;
      taken.add(folded);
      columns.push(
        wanted === undefined
          ? columnOf(name, this.#fields.get(name) ?? new Set())
          : { name, type: wanted, known: true },
      );
    }
    return columns;
  }
}

const KIND_OF_COLUMN: Readonly<Record<ColumnType, Seen>> = {
  INTEGER: 'BIGINT',
  BIGINT: 'BIGINT',
  DOUBLE: 'DOUBLE',
  BOOLEAN: 'BOOLEAN',
  VARCHAR: 'VARCHAR',
  JSON: 'NESTED',
};

/** A whole number that is not written as one. */
class Whole {}

/** For JSON.parse, which otherwise does not tell 1.0 from 1. */
function wholeApart(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isWhole = Number.isInteger(value) && Math.abs(value as number) < 2 ** 63;
  return isWhole && /[.eE]/.test(context?.source ?? '') ? new Whole() : value;
}

function kindOf(value: unknown): Seen | null {
  if (value instanceof Whole) return 'WHOLE';
  switch (typeof value) {
    case 'number':
      if (Math.abs(value) >= 2 ** 63) return 'HUGE';
      return Number.isInteger(value) ? 'BIGINT' : 'DOUBLE';
    case 'boolean':
      return 'BOOLEAN';
    case 'string':
      return /^[+-]?\d+(?:\.\d+)?$/.test(value) ? 'NUMBER_TEXT' : 'VARCHAR';
    default:
      return value === null ? null : 'NESTED';
  }
}

function columnOf(name: string, seen: ReadonlySet<Seen>): Column {
  const firm = NUMBERS.find(([pattern]) => pattern.test(name));
  if (firm) return { name, type: firm[1], known: true };
  if (TEXTS.test(name) && !seen.has('NESTED')) return { name, type: 'VARCHAR', known: true };
  const usual = MOSTLY_NUMBERS.find(([pattern]) => pattern.test(name));
  const isNumber = [...seen].every((kind) => kind !== 'BOOLEAN' && kind !== 'VARCHAR' && kind !== 'NESTED');
  if (usual && isNumber) return { name, type: seen.has('DOUBLE') ? 'DOUBLE' : usual[1], known: true };
  return { name, type: inferred(seen), known: false };
}

function inferred(seen: ReadonlySet<Seen>): ColumnType {
  const only = (...kinds: Seen[]): boolean =>
    seen.size > 0 && [...seen].every((kind) => kinds.includes(kind));
  if (seen.has('NESTED')) return 'JSON';
  if (only('BOOLEAN')) return 'BOOLEAN';
  if (only('BIGINT', 'HUGE', 'WHOLE')) return 'BIGINT';
  if (only('BIGINT', 'HUGE', 'WHOLE', 'DOUBLE')) return 'DOUBLE';
  return 'VARCHAR';
}

/** What a SELECT statement reads, from DuckDB's own parse of it: json_serialize_sql. */

/** A part of the tree that json_serialize_sql makes. */
export type Part = Readonly<Record<string, unknown>>;

const VIEWS = ['logs', 'commits', 'holes'] as const;
export type View = (typeof VIEWS)[number];

export interface Reads {
  readonly views: ReadonlySet<View>;
  /** Names that may be of columns, and that the statement does not give itself. */
  readonly names: ReadonlySet<string>;
  /** Whether all columns of a view can be meant, by a star or by the view's own name. */
  readonly everything: boolean;
  /** Whether events are not read, as by DESCRIBE. */
  readonly columnsOnly: boolean;
}

/** Table functions that read nothing of the views. All others may: query('FROM logs') does. */
const HARMLESS: ReadonlySet<string> = new Set([
  'range',
  'generate_series',
  'unnest',
  'json_each',
  'json_tree',
]);

/** Calls `visit` for every object of the tree, outer ones first. */
export function walk(tree: unknown, visit: (part: Part) => void): void {
  if (typeof tree !== 'object' || tree === null) return;
  if (!Array.isArray(tree)) visit(tree as Part);
  for (const value of Object.values(tree)) walk(value, visit);
}

/** Whether a part is a table of this name; every schema and case counts, and so does a CTE of the name. */
export function isTable(part: Part, name: string): boolean {
  return part.type === 'BASE_TABLE' && String(part.table_name).toLowerCase() === name;
}

/** Whether the tree has a table function that can read any table. */
export function isOpaque(tree: unknown): boolean {
  let opaque = false;
  walk(tree, ({ type, function: called }) => {
    if (type !== 'TABLE_FUNCTION') return;
    const name = String((called as Part | undefined)?.function_name).toLowerCase();
    if (!HARMLESS.has(name)) opaque = true;
  });
  return opaque;
}

function mentionsOf(tree: unknown, name: string): number {
  let mentions = 0;
  walk(tree, (part) => {
    if (isTable(part, name)) mentions += 1;
  });
  return mentions;
}

export function readsOf(tree: unknown): Reads {
  const opaque = isOpaque(tree);
  const views = new Set<View>(opaque ? VIEWS : []);
  const names = new Set<string>();
  let everything = opaque;
  let mentions = 0;
  let described = 0;
  const aliases = new Set<string>(VIEWS);
  walk(tree, (part) => {
    if (isTable(part, 'logs')) mentions += 1;
    if (part.type === 'SHOW_REF' && part.show_type === 'DESCRIBE') described += mentionsOf(part, 'logs');
    for (const view of VIEWS) {
      if (!isTable(part, view)) continue;
      views.add(view);
      if (part.alias) aliases.add(String(part.alias).toLowerCase());
      if (listOf(part.column_name_alias).length > 0) everything = true;
    }
    if (part.type === 'STAR' || part.ref_type === 'NATURAL' || part.type === 'PIVOT') everything = true;
    for (const name of [...listOf(part.column_names), ...listOf(part.using_columns)]) names.add(String(name));
  });
  // A row as a whole: SELECT l FROM logs AS l.
  walk(tree, ({ type, column_names: path }) => {
    const [only, ...more] = listOf(path);
    if (type === 'COLUMN_REF' && more.length === 0 && aliases.has(String(only).toLowerCase()))
      everything = true;
  });
  // AS host does not mention a field.
  walk(tree, ({ select_list: list }) => {
    for (const item of listOf(list)) names.delete(String((item as Part).alias));
  });
  return { views, names, everything, columnsOnly: !opaque && described === mentions };
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

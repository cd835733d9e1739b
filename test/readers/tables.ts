/** The tables by which readers that take no schema from the lines see a case: one as written by hand, and ours. */
import { columnsOf, type ExternalColumn, serdeProperties } from '../../archive/external-table.ts';
import { FieldsSeen } from '../../archive/field-types.ts';

export interface CaseTable {
  readonly columns: readonly { readonly name: string; readonly field: string; readonly type: string }[];
  readonly properties: Readonly<Record<string, string>>;
}

export interface CaseTables {
  /** A column for each name, folded as the engine does, of the type that its values have together; nested ones as structs. */
  readonly byHand: CaseTable;
  /** What `tailrace ddl` makes of the same lines, for Athena and for Spark. */
  readonly ours: CaseTable;
  readonly spark: CaseTable;
}

const TYPES: Readonly<Record<ExternalColumn['type'], string>> = {
  INTEGER: 'int',
  BIGINT: 'bigint',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  VARCHAR: 'string',
  JSON: 'string',
  TIMESTAMP: 'timestamp',
};

/** @param lines of NDJSON */
export function tablesOf(lines: readonly string[]): CaseTables {
  const seen = new FieldsSeen();
  const values = new Map<string, unknown[]>();
  for (const line of lines) {
    seen.add(line);
    for (const [name, value] of Object.entries(parsed(line))) {
      const folded = name.toLowerCase();
      const some = values.get(folded);
      if (some) some.push(value);
      else values.set(folded, [value]);
    }
  }
  const fields = seen.strictTypes();
  const ours = columnsOf('athena', fields, []).columns;
  const spark = columnsOf('spark', fields, []).columns;
  return {
    byHand: {
      columns: [...values].map(([name, some]) => ({ name, field: name, type: typeOf(some) })),
      properties: {},
    },
    ours: { columns: typed(ours), properties: Object.fromEntries(serdeProperties(ours)) },
    spark: { columns: typed(spark), properties: {} },
  };
}

function typed(columns: readonly ExternalColumn[]): CaseTable['columns'] {
  return columns.map(({ name, field, type }) => ({ name, field, type: TYPES[type] }));
}

function parsed(line: string): object {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

function typeOf(values: readonly unknown[]): string {
  const some = values.filter((value) => value !== null);
  const all = (is: (value: unknown) => boolean): boolean => some.length > 0 && some.every(is);
  if (all((value) => typeof value === 'boolean')) return 'boolean';
  if (all((value) => Number.isInteger(value))) return 'bigint';
  if (all((value) => typeof value === 'number')) return 'double';
  if (all(Array.isArray)) return `array<${typeOf((some as unknown[][]).flat())}>`;
  if (!all((value) => typeof value === 'object' && !Array.isArray(value))) return 'string';
  const members = new Map<string, unknown[]>();
  for (const [name, value] of some.flatMap((one) => Object.entries(one as object)))
    members.set(name.toLowerCase(), [...(members.get(name.toLowerCase()) ?? []), value]);
  if (members.size === 0) return 'string';
  return `struct<${[...members].map(([name, own]) => `${name}:${typeOf(own)}`).join(',')}>`;
}

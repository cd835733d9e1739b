/** Writes a result row by row: CSV, JSON, NDJSON, or a table for people. */
import type { DuckDBResult, DuckDBType, DuckDBValue } from '@duckdb/node-api';
import { count, plain } from '../../base/human.ts';

export type TextFormat = 'table' | 'csv' | 'json' | 'ndjson';
export type Write = (text: string) => Promise<void>;

type Row = readonly DuckDBValue[];

/**
 * @param width columns of the terminal
 * @returns how many rows there were
 */
export async function writeResult(
  result: DuckDBResult,
  format: TextFormat,
  write: Write,
  width: number,
): Promise<number> {
  const names = result.deduplicatedColumnNames();
  const types = result.columnTypes();
  if (format === 'table') return writeTable(result, names, types, write, width);
  if (format === 'csv') await write(`${names.map(csvText).join(',')}\n`);
  if (format === 'json') await write('[');
  let rows = 0;
  for await (const chunk of result) {
    const lines = chunk.getRows().map((row) => {
      rows += 1;
      if (format === 'csv') return `${row.map(csvValue).join(',')}\n`;
      const object = rowJson(names, types, row);
      return format === 'ndjson' ? `${object}\n` : `${rows === 1 ? '' : ','}\n${object}`;
    });
    if (lines.length > 0) await write(lines.join(''));
  }
  if (format === 'json') await write(rows === 0 ? ']\n' : '\n]\n');
  return rows;
}

function csvValue(value: DuckDBValue): string {
  if (value === null) return '';
  const text = String(value);
  return text === '' ? '""' : csvText(text);
}

function csvText(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function rowJson(names: readonly string[], types: readonly DuckDBType[], row: Row): string {
  const fields = names.map((name, i) => `${JSON.stringify(name)}:${valueJson(row[i]!, types[i]!)}`);
  return `{${fields.join(',')}}`;
}

const NUMBER = /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DECIMAL.*|BIGNUM)$/;

/** Numbers keep all their digits; a timestamp is RFC 3339, as those of events are. */
function valueJson(value: DuckDBValue, type: DuckDBType): string {
  if (value === null) return 'null';
  const name = type.toString();
  if (NUMBER.test(name) || name === 'BOOLEAN') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (type.alias === 'JSON') return String(value);
  if (name.startsWith('TIMESTAMP')) return JSON.stringify(rfc3339(String(value)));
  if ('valueType' in type && typeof value === 'object' && 'items' in value)
    return `[${(value.items as Row).map((item) => valueJson(item, type.valueType as DuckDBType)).join(',')}]`;
  if (
    'entryNames' in type &&
    typeof value === 'object' &&
    'entries' in value &&
    !Array.isArray(value.entries)
  ) {
    const entries = value.entries as Readonly<Record<string, DuckDBValue>>;
    const names = type.entryNames as readonly string[];
    return rowJson(
      names,
      type.entryTypes as readonly DuckDBType[],
      names.map((entry) => entries[entry]!),
    );
  }
  return JSON.stringify(String(value));
}

function rfc3339(text: string): string {
  const [, date, time, offset] = /^(\S+) ([\d:.]+)([+-]\S+)?$/.exec(text) ?? [];
  if (date === undefined) return text;
  return `${date}T${time}${offset === undefined || offset === '+00' ? 'Z' : offset}`;
}

/** Whether a column's values are put in line by their last digit. */
export function isNumeric(type: DuckDBType): boolean {
  const name = type.toString();
  return NUMBER.test(name) || /^(?:DOUBLE|FLOAT)$/.test(name);
}

/** Rows by which the width of columns is decided; further ones are fitted to it. */
const MEASURED_ROWS = 1000;
const MIN_COLUMN = 8;
const GAP = '  ';

async function writeTable(
  result: DuckDBResult,
  names: readonly string[],
  types: readonly DuckDBType[],
  write: Write,
  width: number,
): Promise<number> {
  const isNumber = types.map(isNumeric);
  let widths: number[] | null = null;
  let waiting: string[][] = [];
  let rows = 0;
  const print = async (): Promise<void> => {
    if (widths === null) {
      const header = names.map((name) => plain(name));
      widths = fitted(columnWidths([header, ...waiting]), width);
      await write(
        `${tableLine(header, widths, isNumber)}\n${widths.map((size) => '─'.repeat(size)).join(GAP)}\n`,
      );
    }
    await write(waiting.map((cells) => `${tableLine(cells, widths!, isNumber)}\n`).join(''));
    waiting = [];
  };
  for await (const chunk of result) {
    for (const row of chunk.getRows())
      waiting.push(row.map((value) => (value === null ? '' : plain(String(value)))));
    rows += chunk.rowCount;
    if (widths !== null || waiting.length >= MEASURED_ROWS) await print();
  }
  await print();
  await write(`(${count(rows)} ${rows === 1 ? 'row' : 'rows'})\n`);
  return rows;
}

function columnWidths(lines: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const cells of lines)
    for (const [i, cell] of cells.entries()) widths[i] = Math.max(widths[i] ?? 1, cell.length);
  return widths;
}

/** The widest columns give way until the line fits, or nothing can. */
export function fitted(widths: readonly number[], width: number): number[] {
  const fit = [...widths];
  for (;;) {
    const over = fit.reduce((sum, size) => sum + size, GAP.length * (fit.length - 1)) - width;
    const widest = Math.max(...fit);
    if (over <= 0 || widest <= MIN_COLUMN) return fit;
    const next = Math.max(MIN_COLUMN, ...fit.filter((size) => size < widest));
    const those = fit.flatMap((size, i) => (size === widest ? [i] : []));
    const less = Math.min(widest - next, Math.ceil(over / those.length));
    for (const i of those) fit[i] = widest - Math.max(1, less);
  }
}

function tableLine(
  cells: readonly string[],
  widths: readonly number[],
  isNumber: readonly boolean[],
): string {
  const parts = cells.map((cell, i) => {
    const size = widths[i]!;
    const text = cell.length > size ? `${cell.slice(0, size - 1)}…` : cell;
    return isNumber[i] ? text.padStart(size) : text.padEnd(size);
  });
  return parts.join(GAP).trimEnd();
}

/** `--column NAME=TYPE`, by which a user says what type a field's column has. */
import { Option } from 'commander';
import type { ColumnType } from '../archive/field-types.ts';
import { TailraceError } from '../base/errors.ts';
import { collect } from './options.ts';

const COLUMN_TYPES: readonly string[] = ['INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'VARCHAR', 'JSON'];

export function columnOption(): Option {
  const what = `the type of a field's column, one of ${COLUMN_TYPES.join(', ')}; may be repeated`;
  return new Option('--column <name=type>', what).argParser(collect);
}

/** @throws TailraceError CONFIG */
export function typesOf(pairs: readonly string[]): Map<string, ColumnType> {
  return new Map(
    pairs.map((pair) => {
      const [, name, type] = /^(.+)=(\w+)$/s.exec(pair) ?? [];
      const known = type?.toUpperCase();
      if (name === undefined || known === undefined || !COLUMN_TYPES.includes(known))
        throw new TailraceError(
          'CONFIG',
          `--column ${pair}: expected NAME=TYPE with one of ${COLUMN_TYPES.join(', ')}`,
        );
      return [name, known as ColumnType];
    }),
  );
}

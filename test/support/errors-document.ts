/** docs/errors.md from the list of error codes: `npm run docs` writes it, a test compares it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '../../base/error-codes.ts';

export const ERRORS_FILE = join(import.meta.dirname, '../../docs/errors.md');

export function errorsDocument(): string {
  const table = (exit: 1 | 2): string => {
    const rows = Object.entries(ERRORS).filter(([, error]) => error.exit === exit);
    return [
      '| code | what it means | what to do |',
      '|---|---|---|',
      ...rows.map(([code, { means, remedy }]) => `| \`${code}\` | ${means} | ${remedy} |`),
    ].join('\n');
  };
  return `# Errors

<!-- Generated from base/error-codes.ts by \`npm run docs\`. -->

Every error has a stable code, which logs carry as \`code\`, and a message that names the file, key or address.
A command that fails prints the message on standard error and ends with the exit code of its error.
Some commands have further exit codes for what they found; their \`--help\` lists them.

## Exit code 2: nothing was started

The configuration, or something it names, cannot be used.

${table(2)}

## Exit code 1: the work failed

${table(1)}
`;
}

if (import.meta.main) writeFileSync(ERRORS_FILE, errorsDocument());

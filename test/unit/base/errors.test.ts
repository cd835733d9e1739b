import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERRORS } from '../../../base/error-codes.ts';
import { TailraceError } from '../../../base/errors.ts';
import { exitCodeOf } from '../../../base/exit-code.ts';

const ROOT = join(import.meta.dirname, '../../..');

test('every error says what it means and what to do, each in a sentence', () => {
  for (const [code, { means, remedy }] of Object.entries(ERRORS)) {
    assert.match(code, /^[A-Z][A-Z_]*[A-Z]$/);
    for (const text of [means, remedy]) assert.match(text, /^\S[^|\n]*[.]$/, code);
  }
});

test('every error in the list is raised somewhere', () => {
  const folders = ['archive', 'base', 'chunk', 'cli', 'consumer', 'functions', 'infra', 'local', 'producer'];
  const source = globSync(`{${folders}}/**/*.ts`, { cwd: ROOT, exclude: ['base/error-codes.ts'] })
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join();
  const raised = (code: string): boolean =>
    source.includes(`'${code}'`) || source.includes(`'${code.replace(/^FORWARD_/, '').toLowerCase()}'`);
  assert.deepEqual(
    Object.keys(ERRORS).filter((code) => !raised(code)),
    [],
  );
});

test('what cannot be used ends a command with 2, work that failed with 1', () => {
  const exit = (code: keyof typeof ERRORS): number => exitCodeOf(new TailraceError(code, ''));
  // An address in use is the same fault for http.listen and for an input, as are unreadable TLS and secret files.
  assert.deepEqual((['LISTEN', 'FORWARD_TLS', 'CONFIG', 'METADATA'] as const).map(exit), [2, 2, 2, 2]);
  assert.deepEqual((['NO_AGENT', 'FLUSH', 'SEND'] as const).map(exit), [1, 1, 1]);
});

/**
 * `npm test`: types and style, then the fast pure tests, then those with real processes.
 *
 *     npm test                     all of it
 *     npm test -- unit             one of check, unit, model (planted faults are found), processes
 *     npm test -- spool follow     only files whose path contains one of the words
 *
 * Ends with a line `N passed, N failed` and exit code 0 only when nothing failed.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');
const PHASES = ['check', 'unit', 'model', 'processes'] as const;
/** Default timeout of a test, in milliseconds. */
const TEST_TIMEOUT_MS = { unit: 120_000, model: 300_000, processes: 300_000 };
/** Test files in parallel. Those with processes mostly wait, but each may hold a whole stack in memory. */
const CORES = Math.max(2, availableParallelism());
const AT_ONCE = { unit: CORES, model: CORES, processes: Math.min(4, CORES + 1) };
/** The slowest start first, so that they do not run alone at the end; one that computes next to one that waits. */
const FIRST = ['faults.test', 'consumer-kill', 'termination', 'end-to-end', 'forward-clients'];

const totals = { passed: 0, failed: 0, skipped: 0 };

function check(name: string, command: string, args: readonly string[]): void {
  const { status } = spawnSync(join(BIN, command), args, { cwd: ROOT, stdio: 'inherit' });
  process.stdout.write(`${status === 0 ? '✔' : '✖'} ${name}\n`);
  if (status === 0) totals.passed++;
  else totals.failed++;
}

/** A file's place in the running order. */
function rank(name: string): number {
  const place = FIRST.findIndex((first) => name.startsWith(first));
  return place === -1 ? FIRST.length : place;
}

async function runTests(phase: keyof typeof TEST_TIMEOUT_MS, words: readonly string[]): Promise<void> {
  const directory = join(import.meta.dirname, phase);
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        name.endsWith('.test.ts') && (words.length === 0 || words.some((word) => name.includes(word))),
    )
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => join(directory, name));
  if (files.length === 0) return;
  const stream = run({ files, concurrency: AT_ONCE[phase], timeout: TEST_TIMEOUT_MS[phase] });
  stream.on('test:summary', ({ file, counts }) => {
    if (file !== undefined) return;
    totals.passed += counts.passed;
    totals.failed += counts.tests - counts.passed - counts.skipped - counts.todo;
    totals.skipped += counts.skipped;
  });
  for await (const text of stream.compose(spec)) process.stdout.write(text);
}

const args = process.argv.slice(2);
const phases = PHASES.filter((phase) => args.includes(phase));
const words = args.filter((arg) => !(PHASES as readonly string[]).includes(arg));
const wanted =
  phases.length > 0 ? phases : words.length > 0 ? (['unit', 'model', 'processes'] as const) : PHASES;
for (const phase of wanted) {
  if (phase === 'check') {
    check('types', 'tsc', ['-p', ROOT]);
    check('types of the page', 'tsc', ['-p', join(ROOT, 'cli', 'console', 'page')]);
    check('style', 'biome', ['check', '--error-on-warnings', ROOT]);
  } else {
    await runTests(phase, words);
  }
}
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);

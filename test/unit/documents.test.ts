/** What the documents name exists: files, links, npm scripts. */
import assert from 'node:assert/strict';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { configKind, loadConfig } from '../../cli/config.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDERS = 'archive|base|bench|chunk|cli|consumer|docs|functions|infra|local|producer|test';
/** Files in code spans, such as `producer/sealer.ts`; patterns and folders with … in them are not files. */
const NAMED = new RegExp(`\`((?:${FOLDERS})/[\\w./-]+\\.(?:ts|mjs|md|sh|yml|yaml|sha256|xml))\``, 'g');
const LINK = /\]\(([^)\s#]+)(?:#[\w-]+)?\)/g;
const SCRIPT = /npm run (?:-s )?([\w:-]+)/g;

const documents = globSync(['*.md', 'docs/**/*.md', 'local/*.md', '.github/**/*.md'], { cwd: ROOT });
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** What `text` names that is not there. */
function missing(path: string, text: string): string[] {
  const found = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name]) => name!);
  return [
    ...found(NAMED).filter((name) => !existsSync(join(ROOT, name))),
    ...found(LINK).filter((to) => !/^\w+:/.test(to) && !existsSync(join(ROOT, dirname(path), to))),
    ...found(SCRIPT)
      .filter((name) => !(name in scripts))
      .map((name) => `npm run ${name}`),
  ].map((name) => `${path}: ${name}`);
}

test('every file, link and npm script that a document names exists', () => {
  assert.deepEqual(
    documents.flatMap((path) => missing(path, readFileSync(join(ROOT, path), 'utf8'))),
    [],
  );
});

test('planted: names of what is not there are found', () => {
  const text =
    'see `cli/nothing.ts` and `cli/tailrace.ts`, [a](agent.md), [b](nowhere.md#x), npm run nonsense';
  assert.deepEqual(missing('docs/x.md', text), [
    'docs/x.md: cli/nothing.ts',
    'docs/x.md: nowhere.md',
    'docs/x.md: npm run nonsense',
  ]);
});

test('architecture.md has a file for each step of its journeys', () => {
  const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const journeys = text
    .slice(text.indexOf('## Five journeys'), text.indexOf('## Glossary'))
    .split('\n### ')
    .slice(1);
  assert.equal(journeys.length, 5);
  for (const journey of journeys)
    for (const step of journey.split(/\n(?=\d\. )/).slice(1))
      assert.ok(/`[\w/.-]+\.(ts|sh)`/.test(step) || step.includes('synced'), step);
});

test('the configurations in README are valid', async () => {
  const { agentConfig } = await import('../../producer/config.ts');
  const { consumerSchema } = await import('../../consumer/config.ts');
  const folder = mkdtempSync(join(tmpdir(), 'readme-'));
  const blocks = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/```yaml\n(.*?)```/gs)];
  assert.equal(blocks.length, 2);
  for (const [i, [, text]] of blocks.entries()) {
    const file = join(folder, `${i}.yaml`);
    writeFileSync(file, text!);
    if (configKind(file) === 'agent') loadConfig(file, agentConfig);
    else loadConfig(file, consumerSchema);
  }
  rmSync(folder, { recursive: true });
});

/** What the documents name exists: files, links, npm scripts, tests by their names; and their tables are tables. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { cellsOf, documents, isRule, ROOT, readDocument, rowsUnder } from '../support/documents.ts';

const FOLDERS = 'archive|base|bench|chunk|cli|consumer|docs|findings|functions|infra|local|producer|test';
/** Files in code spans, such as `producer/sealer.ts`; patterns and folders with … in them are not files. */
const NAMED = new RegExp(`\`((?:${FOLDERS})/[\\w./-]+\\.(?:ts|mjs|md|sh|yml|yaml|sha256|xml))\``, 'g');
const LINK = /\]\(([^)\s#]*)(?:#([\w-]+))?\)/g;
const SCRIPT = /npm run (?:-s )?([\w:-]+)/g;
/** A test's file without its folder, such as `consumer-lost-leases.test.ts`. */
const TEST_FILE = /`([\w-]+\.test\.ts)`/g;
/** A test's file and the names of some of its tests: `test/…/x.test.ts`: *a name …*, *another*. */
const NAMED_TESTS = /`(test\/[\w./-]+\.test\.ts)`:((?:,? \*[^*|]+\*)+)/g;

const testFiles = globSync('test/**/*.test.ts', { cwd: ROOT });
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** What `text` names that is not there. */
function missing(path: string, text: string): string[] {
  const found = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name]) => name!);
  return [
    ...found(NAMED).filter((name) => !existsSync(join(ROOT, name))),
    ...brokenLinks(path, text),
    ...found(SCRIPT)
      .filter((name) => !(name in scripts))
      .map((name) => `npm run ${name}`),
    ...found(TEST_FILE).filter((name) => !testFiles.some((file) => basename(file) === name)),
    ...missingTests(text),
  ].map((name) => `${path}: ${name}`);
}

function brokenLinks(path: string, text: string): string[] {
  return [...text.matchAll(LINK)].flatMap(([, to, anchor]) => {
    if (/^\w+:/.test(to!)) return [];
    const file = to === '' ? path : join(dirname(path), to!);
    if (!existsSync(join(ROOT, file))) return [to!];
    if (anchor === undefined || !file.endsWith('.md')) return [];
    const target = file === path ? text : readFileSync(join(ROOT, file), 'utf8');
    return anchorsOf(target).includes(anchor) ? [] : [`${to}#${anchor}`];
  });
}

/** The anchors that GitHub gives to a document's headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function missingTests(text: string): string[] {
  return [...text.matchAll(NAMED_TESTS)].flatMap(([, file, names]) => {
    if (!existsSync(join(ROOT, file!))) return [];
    const titles = titlesOf(readFileSync(join(ROOT, file!), 'utf8'));
    return [...names!.matchAll(/\*([^*]+)\*/g)].flatMap(([, name]) => {
      const pattern = new RegExp(
        `^${name!
          .split('…')
          .map((part) => RegExp.escape(part.trim()))
          .join('.*')}$`,
      );
      return titles.some((title) => pattern.test(title)) ? [] : [`${file}: ${name}`];
    });
  });
}

/** The names of a file's tests; what a template fills in is …. */
function titlesOf(source: string): string[] {
  return [...source.matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs)].map(([, , title]) =>
    title!.replaceAll(/\$\{[^}]*\}/g, '…').replaceAll(/\\(.)/g, '$1'),
  );
}

test('every file, link, npm script and test that a document names exists', () => {
  assert.deepEqual(
    documents().flatMap(({ path, text }) => missing(path, text)),
    [],
  );
});

test('planted: names of what is not there are found', () => {
  const text =
    'see `cli/nothing.ts` and `cli/tailrace.ts`, [a](agent.md), [b](nowhere.md#x), [c](agent.md#nowhere), ' +
    'npm run nonsense, `tidy.test.ts`, `untidy.test.ts`, ' +
    '`test/unit/documents.test.ts`: *planted: names …*, *planted: nothing …*';
  assert.deepEqual(missing('docs/x.md', text), [
    'docs/x.md: cli/nothing.ts',
    'docs/x.md: nowhere.md',
    'docs/x.md: agent.md#nowhere',
    'docs/x.md: npm run nonsense',
    'docs/x.md: untidy.test.ts',
    'docs/x.md: test/unit/documents.test.ts: planted: nothing …',
  ]);
});

test('security.md names a test in each cell that says what shows a defence', () => {
  const { text } = readDocument('docs/security.md');
  const cells = text
    .split('\n')
    .filter((line) => /^## Threats/.test(line))
    .flatMap((heading) => rowsUnder(text, heading))
    .map((cells) => cells[2]!);
  assert.ok(cells.length > 40, `${cells.length}`);
  assert.deepEqual(
    cells.filter((cell) => cell !== '' && !/^`test\/[\w./-]+\.test\.ts`/.test(cell)),
    [],
  );
});

/** Lines of tables that no reader shows as a table: a rule inside a line, a row of more or fewer cells than its head. */
function brokenTables({ path, text }: { path: string; text: string }): string[] {
  const offences: string[] = [];
  const lines = text
    .replaceAll(/^( *)```.*?^\1```$/gms, (block) => block.replaceAll(/[^\n]/g, ''))
    .split('\n');
  let width = 0;
  for (const [i, line] of lines.entries()) {
    const isRow = /^\s*\|/.test(line);
    const cells = cellsOf(line);
    if (/\|\s*:?-{3,}/.test(line) && !isRule(cells)) offences.push(`${path}:${i + 1}: a rule inside a line`);
    if (!isRow) width = 0;
    else if (width === 0) width = cells.length;
    else if (cells.length !== width) offences.push(`${path}:${i + 1}: ${cells.length} cells under ${width}`);
  }
  return offences;
}

test('tables are tables', () => {
  assert.deepEqual(documents().flatMap(brokenTables), []);
});

test('planted: a table that was wrapped as prose, and a row that lacks a cell', () => {
  const text =
    '| a | b | |---|---| | c |\n\n| a | b |\n|---|---|\n| `x \\| y` | c |\n| d |\n\n```\n|---| a\n```\n';
  assert.deepEqual(brokenTables({ path: 'x.md', text }), [
    'x.md:1: a rule inside a line',
    'x.md:6: 1 cells under 2',
  ]);
});

test('architecture.md has a file for each step of its journeys', () => {
  const { text } = readDocument('docs/architecture.md');
  const journeys = text
    .slice(text.indexOf('## Five journeys'), text.indexOf('## Glossary'))
    .split('\n### ')
    .slice(1);
  assert.equal(journeys.length, 5);
  for (const journey of journeys)
    for (const step of journey.split(/\n(?=\d\. )/).slice(1))
      assert.ok(/`[\w/.-]+\.(ts|sh)`/.test(step) || step.includes('synced'), step);
});

test('alarms and log lines that a document names are those of the stack', () => {
  const infra = globSync('infra/*.yml', { cwd: ROOT }).map((path) => readDocument(path).text);
  const alarms = new Set(
    infra.flatMap((text) => [...text.matchAll(/^ {2}(\w+Alarm):$/gm)].map(([, id]) => id!)),
  );
  assert.ok(alarms.size > 15);
  const wrong = documents()
    .filter(({ path }) => path !== 'CHANGELOG.md')
    .flatMap(({ path, text }) => {
      const called = [...text.matchAll(/\b[Aa]larms?\s+([A-Z]\w+)(?:\s+and\s+([A-Z]\w+))?/g)].flatMap(
        ([, one, other]) => [one, other],
      );
      const named = [...text.matchAll(/(?<![:\w])[A-Z]\w+Alarm\b/g)].map(([id]) => id);
      return [...called, ...named].filter((id) => id && !alarms.has(id)).map((id) => `${path}: ${id}`);
    });
  assert.deepEqual(wrong, []);
  const sources = [...globSync('functions/**/*.ts', { cwd: ROOT }), 'test/simulation/auto-scaling.ts'];
  const code = sources.map((path) => readDocument(path).text).join('\n');
  const quotes = [...readDocument('docs/first-deploy.md').text.matchAll(/"([^"]+)"/g)].map(
    ([, quote]) => quote!,
  );
  assert.ok(quotes.length >= 5);
  assert.deepEqual(
    quotes.filter((quote) => !code.toLowerCase().includes(quote.toLowerCase())),
    [],
  );
});

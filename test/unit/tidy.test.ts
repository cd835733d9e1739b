/** The house keeps itself tidy: layers, circles, dead exports, long functions, chance and wording, each rule tried on a planted offence. */
import assert from 'node:assert/strict';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { ERRORS_FILE, errorsDocument } from '../support/errors-document.ts';
import { readFacts } from '../support/tidy/facts.ts';
import {
  chanceOffences,
  cycleOffences,
  deadExportOffences,
  fileOffences,
  layerOffences,
  longFunctionOffences,
  mirrorOffences,
  type Offence,
  WORDINGS,
  wordingOffences,
} from '../support/tidy/rules.ts';
import { DOCUMENTS, ENTRIES, LAYERS, LONG_FUNCTIONS, WORDING_OFF } from '../support/tidy/tree.ts';

const ROOT = join(import.meta.dirname, '../..');
/** These quote the forbidden wordings. */
const QUOTING = ['test/support/tidy/rules.ts', 'test/unit/tidy.test.ts'];

const files = readFacts(ROOT, ['cli/console/page']);
const documents = globSync(DOCUMENTS, { cwd: ROOT, exclude: ['**/node_modules/**'] }).map((path) => ({
  path,
  prose: [{ line: 1, text: readFileSync(join(ROOT, path), 'utf8') }],
}));

function none(offences: readonly Offence[]): void {
  assert.ok(offences.length === 0, `${offences.length} to put right:\n  ${offences.join('\n  ')}`);
}

test('imports go down the layers', () => none(layerOffences(files, LAYERS)));
test('no files import each other in a circle', () => none(cycleOffences(files)));
test('every export is imported', () => none(deadExportOffences(files, ENTRIES)));
test('functions have at most 80 lines', () => none(longFunctionOffences(files, LONG_FUNCTIONS)));
test('files say what they are and export their own', () => none(fileOffences(files)));
test('unit tests mirror the source', () => none(mirrorOffences(files)));
test('chance in tests has a seed', () => none(chanceOffences(files)));
test('the wording is a native speaker’s', () => {
  none(wordingOffences([...files, ...documents], [...WORDING_OFF, ...QUOTING]));
});

test('docs/errors.md is up to date', () => {
  assert.equal(readFileSync(ERRORS_FILE, 'utf8'), errorsDocument(), 'run: npm run docs');
});

const planted = mkdtempSync(join(tmpdir(), 'tidy-'));
after(() => rmSync(planted, { recursive: true }));

/** The facts of a tree with these files alone. */
function plant(sources: Readonly<Record<string, string>>): ReturnType<typeof readFacts> {
  const root = mkdtempSync(join(planted, 'tree-'));
  const options = {
    noEmit: true,
    module: 'nodenext',
    target: 'esnext',
    allowImportingTsExtensions: true,
    types: [],
  };
  for (const [path, text] of Object.entries({
    ...sources,
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify({ compilerOptions: options, include: ['**/*.ts'] }),
  })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return readFacts(root);
}

test('planted: an import that runs up or across the layers is found, in each form of import', () => {
  const target = 'export const x = 1;\nexport type X = 1;\n';
  const importing = [
    `import { x } from '../producer/a.ts';`,
    `import type { X } from '../producer/a.ts';`,
    `import * as all from '../producer/a.ts';`,
    `import '../producer/a.ts';`,
    `export { x } from '../producer/a.ts';`,
    `const later = import('../producer/a.ts');`,
    `type Y = import('../producer/a.ts').X;`,
  ];
  const upper = ['base', 'archive', 'consumer', 'functions'].flatMap((folder) =>
    importing.map((line, i) => ({ path: `${folder}/b${i}.ts`, text: `// one line\n${line}\nexport {};\n` })),
  );
  const tree = plant({
    'producer/a.ts': target,
    'base/a.ts': target,
    'producer/b.ts': `import { x } from '../base/a.ts';`,
    'attic/a.ts': target,
    ...Object.fromEntries(upper.map(({ path, text }) => [path, text])),
  });
  assert.deepEqual(
    layerOffences(tree, LAYERS).map((offence) => offence.replace(/ \(only.*/, '')),
    [
      ...upper.map(({ path }) => `${path}:2: ${dirname(path)}/ may not import producer/a.ts`),
      'attic/a.ts: attic/ is not a layer yet: add it to LAYERS with what it may import',
    ].sort(),
  );
});

test('planted: a circle is found once, with its way', () => {
  const tree = plant({
    'base/a.ts': `import './b.ts';`,
    'base/b.ts': `import type { C } from './c.ts';`,
    'base/c.ts': `import './a.ts';\nexport type C = 1;`,
    'base/d.ts': `import './a.ts';`,
  });
  assert.deepEqual(cycleOffences(tree), [
    'base/a.ts → base/b.ts → base/c.ts → base/a.ts: these files import each other in a circle',
  ]);
});

test('planted: an export that nobody imports is found, and one that is imported or loaded by path is not', () => {
  const tree = plant({
    'base/a.ts': [
      'export const used = 1;',
      'export const dead = 1, alsoDead = used;',
      'export function deadToo(shape: Shape): void {}',
      'export interface Shape { x: 1 }',
      'export type DeadType = 1;',
    ].join('\n'),
    'base/b.ts': `import { used } from './a.ts';`,
    'functions/scale.ts': 'export const handler = 1;',
  });
  assert.deepEqual(
    deadExportOffences(tree, ['functions/*.ts']).map((offence) =>
      offence.replace(/ imports (\w+):.*/, ' $1'),
    ),
    [
      'base/a.ts:2: no file dead',
      'base/a.ts:2: no file alsoDead',
      'base/a.ts:3: no file deadToo',
      'base/a.ts:5: no file DeadType',
    ],
  );
});

test('planted: a function of more than 80 lines is found, and an exception that is not needed any more', () => {
  const body = (lines: number): string => `{\n${'  f();\n'.repeat(lines - 2)}}`;
  const tree = plant({
    'base/a.ts': `export function f(): void ${body(81)}\nclass C { m(): void ${body(80)} }\nconst g = () => ${body(90)};\n`,
  });
  assert.deepEqual(
    longFunctionOffences(tree, ['base/a.ts g', 'base/a.ts m']).map((offence) => offence.slice(0, 38)),
    ['base/a.ts:1: f has 81 lines, at most 80'.slice(0, 38), 'base/a.ts m: is short enough now: remo'],
  );
});

test('planted: a file without its opening sentence is found, and one that passes on exports of another', () => {
  const tree = plant({
    'base/a.ts': 'export const a = 1;',
    'base/b.ts': `/** Says what it is. */\nexport { a } from './a.ts';\nexport * from './a.ts';`,
    'test/a.test.ts': 'test();',
  });
  assert.deepEqual(
    fileOffences(tree).map((offence) => offence.slice(0, 17)),
    ['base/a.ts:1: open', 'base/b.ts:2: impo', 'base/b.ts:3: impo'],
  );
});

test('planted: a unit test outside the folder of its source is found', () => {
  const tree = plant({
    'producer/tail/a.ts': '',
    'test/unit/producer/tail/a.test.ts': '',
    'test/unit/producer/b.test.ts': '',
    'test/unit/tidy.test.ts': '',
    'test/unit/producer/tails/c.test.ts': '',
  });
  assert.deepEqual(mirrorOffences(tree), [
    'test/unit/producer/tails/c.test.ts: there is no folder producer/tails/: move the test to that of its source',
  ]);
});

test('planted: chance without a seed is found in tests, and left alone in the programs', () => {
  const source = [
    `import { randomBytes } from 'node:crypto';`,
    'export const a = Math.random;',
    'export const b = crypto.getRandomValues(new Uint8Array(1));',
    'export const c = { random: 1 }.random;',
  ].join('\n');
  const found = chanceOffences(plant({ 'test/a.ts': source, 'producer/a.ts': source }));
  assert.deepEqual(
    found.map((offence) => offence.split(' ').slice(0, 2).join(' ')),
    ['test/a.ts:1: randomBytes', 'test/a.ts:2: Math.random', 'test/a.ts:3: getRandomValues'],
  );
});

test('planted: each forbidden wording is found in comments, strings, templates and documents, and nowhere else', () => {
  const offences = [
    'it can not be read',
    'a tag that is no string',
    'the record is sent again',
    'the client, who asks',
    'mend the role',
    'for ever',
    'loaded anew',
    'the agent was told',
    'beside the log',
    'a server that knows no zstd',
    'what stands in the file',
  ];
  assert.equal(offences.length, WORDINGS.length);
  const tree = plant(
    Object.fromEntries(
      offences.map((text, i) => [
        `base/a${i}.ts`,
        `// ${text}\nconst a = '${text}';\nconst b = \`\${a} ${text} \${a}\`;\n/**\n * ${text.replaceAll(' ', '\n * ')}\n */\n`,
      ]),
    ),
  );
  const all = wordingOffences(tree, []);
  for (const [i, text] of offences.entries()) {
    assert.match(text, new RegExp(WORDINGS[i]!.pattern, 'i'));
    const lines = all
      .map((offence) => /^base\/a(\d+)\.ts:(\d+): /.exec(offence)!)
      .flatMap(([, file, line]) => (Number(file) === i ? [Number(line)] : []));
    assert.deepEqual(lines.slice(0, 3), [1, 2, 3], text);
    assert.ok(lines.length === 4 && lines[3]! > 4, text);
    const document = { path: 'docs/a.md', prose: [{ line: 1, text: `# A\n\n${text}` }] };
    assert.match(wordingOffences([document], [])[0] ?? '', /^docs\/a\.md:3:/);
  }
  assert.deepEqual(wordingOffences(tree, ['base']), []);
  assert.equal(
    wordingOffences([{ path: 'docs/a.md', prose: [{ line: 1, text: "it can't" }] }], []).length,
    1,
  );
  const fine = plant({
    'base/a.ts':
      `// It cannot be read; there is no string; it is no longer there; people who look; against.\n` +
      `const again = 1;\nexport const AGAIN = /told|beside/.test(\`\${again}\`);\n`,
  });
  assert.deepEqual(wordingOffences(fine, []), []);
});

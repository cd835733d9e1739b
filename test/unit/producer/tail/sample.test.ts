import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { tailOptions } from '../../../../producer/tail/options.ts';
import { sampleTail } from '../../../../producer/tail/sample.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';

const parse = (options: object) => z.parse(tailOptions, { type: 'tail', tag: 'web', ...options });

test('names the files and shows their first events, and reads nothing for good', (t) => {
  const folder = temporaryFolder(t);
  fs.writeFileSync(path.join(folder, 'a.log'), 'one\ntwo\nthree\n');
  fs.writeFileSync(path.join(folder, 'a.log.1'), 'older\n');
  fs.writeFileSync(path.join(folder, 'b.log'), 'four\nfive\nsix\nseven');
  fs.writeFileSync(path.join(folder, 'c.log'), '');
  const add = { host: `\${hostname}` };
  const sample = sampleTail(
    parse({ path: path.join(folder, '*.log*'), tag: `t.\${name}`, format: 'none', add }),
  );
  assert.deepEqual(
    sample.files.map((file) => [path.basename(file.path), file.tag, file.bytes, file.error]),
    [
      ['a.log', 't.a', 14, null],
      ['a.log.1', 't.a.log', 6, null],
      ['b.log', 't.b', 19, null],
      ['c.log', 't.c', 0, null],
    ],
  );
  assert.deepEqual(
    sample.events.map(({ tag, json }) => `${tag} ${JSON.parse(json).message} ${JSON.parse(json).host}`),
    [
      't.a one <hostname>',
      't.a two <hostname>',
      't.a three <hostname>',
      't.a.log older <hostname>',
      't.b four <hostname>',
    ],
  );
});

test('rotated files that no pattern names are history for a first start, and listed', (t) => {
  const folder = temporaryFolder(t);
  const names = [
    'access.log',
    'access.log.1',
    'access.log.2.gz',
    '20261123-access.log',
    'app.8080.log',
    'error.log',
  ];
  for (const name of names) fs.writeFileSync(path.join(folder, name), `${name}\n`);
  const sample = sampleTail(parse({ path: path.join(folder, 'access.log'), format: 'none' }));
  assert.deepEqual(
    sample.files.map((file) => path.basename(file.path)),
    ['access.log'],
  );
  assert.deepEqual(sample.history.map((file) => path.basename(file)).sort(), names.slice(1, 3));
  const all = sampleTail(parse({ path: path.join(folder, '*.log'), format: 'none' }));
  assert.equal(all.files.length, 4);
  assert.deepEqual(all.history.map((file) => path.basename(file)).sort(), names.slice(1, 3));
});

test('a file that is not there, one that is a folder, lines that the format does not take', (t) => {
  const folder = temporaryFolder(t);
  const missing = sampleTail(parse({ path: path.join(folder, 'no.log'), format: 'none' }));
  assert.match(missing.files[0]!.error!, /not there/);
  assert.match(sampleTail(parse({ path: folder, format: 'none' })).files[0]!.error!, /not a regular file/);
  fs.writeFileSync(path.join(folder, 'a.log'), 'x\n{}\n');
  const sample = sampleTail(parse({ path: path.join(folder, 'a.log'), format: 'json' }));
  assert.equal(sample.unparsed, 1);
});

test('options: defaults, and faults at their keys', () => {
  const options = parse({ path: '/var/log/a.log', format: 'nginx' });
  assert.deepEqual(
    { ...options, format: options.format.type },
    {
      type: 'tail',
      path: '/var/log/a.log',
      tag: 'web',
      format: 'nginx',
      read_from_head: true,
      symlinks: 'trusted',
      refresh_interval: 5000,
      rotate_wait: 5000,
      max_line_size: 256 * 1024,
    },
  );
  const fault = (changes: object) => {
    const given = { type: 'tail', path: '/a', tag: 't', format: 'none', ...changes };
    const result = z.safeParse(tailOptions, given, { error: z.locales.en().localeError });
    return result.error!.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join();
  };
  assert.match(fault({ tag: `\${nonsense}` }), /^tag: knows \$\{file\}/);
  assert.match(fault({ max_line_size: '10MiB' }), /^max_line_size: expected 1KiB to 480KiB/);
  assert.match(fault({ refresh_interval: '5 parsecs' }), /^refresh_interval: expected a duration/);
  assert.match(fault({ multiline: { start: '(' } }), /^multiline.start: expected a regular expression/);
  assert.match(fault({ path: '/a/[z-a].log' }), /^path/);
  assert.match(fault({ path: '/a/b.log.gz' }), /compressed/);
  assert.match(fault({ symlinks: 'some' }), /^symlinks: /);
  assert.match(fault({ formt: 'json' }), /formt/);
});

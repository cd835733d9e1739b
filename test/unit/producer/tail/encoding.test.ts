/** Files in other encodings, events of several lines by what continues or ends them, and dates in paths. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { Glob } from '../../../../producer/tail/glob.ts';
import { tailOptions } from '../../../../producer/tail/options.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

/** The messages of a file, by an agent that dies after each piece. */
async function messages(
  t: { after(f: () => unknown): void },
  options: Record<string, unknown>,
  pieces: readonly (string | Buffer)[],
): Promise<string[]> {
  const file = path.join(temporaryFolder(t as never), 'a.log');
  fs.writeFileSync(file, '');
  const tail = new TailHarness({ path: file, ...options });
  t.after(() => tail.crash());
  for (const [i, piece] of pieces.entries()) {
    fs.appendFileSync(file, piece);
    await tail.start();
    await new Promise((resolve) => setImmediate(resolve));
    if (i === pieces.length - 1) await tail.settle();
    else tail.cut();
    await tail.crash();
  }
  return tail.messages();
}

test('UTF-16 of either byte order, with its mark, whatever lies in which read', async (t) => {
  const text = Buffer.from('\ufeffeins é\r\nzwei 日本\r\n\n\u0a0a drei', 'utf16le');
  const expected = ['eins é', 'zwei 日本', '', '\u0a0a drei'];
  assert.deepEqual(await messages(t, { encoding: 'utf-16le' }, [text]), expected);
  assert.deepEqual(
    await messages(t, { encoding: 'UTF-16' }, [text.subarray(0, 7), text.subarray(7, 30), text.subarray(30)]),
    expected,
  );
  const swapped = Buffer.from(text).swap16();
  assert.deepEqual(await messages(t, { encoding: 'utf-16be' }, [swapped]), expected);
});

test('a line of UTF-16 over the maximum is cut', async (t) => {
  const text = Buffer.from(`${'x'.repeat(400_000)}\nend\n`, 'utf16le');
  const read = await messages(t, { encoding: 'utf-16le', max_line_size: 1024 }, [text]);
  assert.deepEqual(read, ['x'.repeat(1024), 'end']);
});

test('Latin-1, Shift_JIS and EUC-KR', async (t) => {
  assert.deepEqual(await messages(t, { encoding: 'iso-8859-1' }, [Buffer.from('caf\xe9\n', 'latin1')]), [
    'café',
  ]);
  assert.deepEqual(await messages(t, { encoding: 'sjis' }, [Buffer.from('93fa967b5c0a', 'hex')]), ['日本\\']);
  assert.deepEqual(await messages(t, { encoding: 'euc-kr' }, [Buffer.from('c7d1b1b90a', 'hex')]), ['한국']);
});

test('events of several lines: by lines that continue them, and by lines that end them', async (t) => {
  const trace = 'ERROR boom\n  at a\n  at b\nINFO x\n';
  for (const pieces of [[trace], [trace.slice(0, 15), trace.slice(15)]]) {
    const read = await messages(t, { multiline: { continuation: '^\\s' } }, pieces);
    assert.deepEqual(read, ['ERROR boom\n  at a\n  at b', 'INFO x']);
  }
  const sql = 'select 1\r\n  from x;\r\nselect 2;\r\nselect';
  for (const pieces of [[sql], [sql.slice(0, 12), sql.slice(12, 30), sql.slice(30)]]) {
    const read = await messages(t, { multiline: { end: ';$' } }, pieces);
    assert.deepEqual(read, ['select 1\n  from x;', 'select 2;', 'select']);
  }
});

test('events that a pattern ends are cut at the maximum, and go on behind', async (t) => {
  const text = `${'a'.repeat(600)}\n${'b'.repeat(600)}\nc;\n${'d'.repeat(3000)}\ne;\n`;
  const read = await messages(t, { multiline: { end: ';$' }, max_line_size: 1024 }, [text]);
  assert.deepEqual(read, ['a'.repeat(600), `${'b'.repeat(600)}\nc;`, 'd'.repeat(1024), 'e;']);
});

test('dates in a path stand for any', () => {
  const glob = new Glob('/var/log/app-%Y-%m-%d_%H.log');
  assert.ok(glob.matches('/var/log/app-2026-11-23_07.log'));
  assert.ok(!glob.matches('/var/log/app-latest.log'));
  assert.ok(!glob.literal);
  assert.ok(new Glob('/var/log/100%%.log').matches('/var/log/100%.log'));
});

test('options that contradict each other are refused at their key', () => {
  const fault = (options: object) => {
    const result = z.safeParse(tailOptions, {
      type: 'tail',
      path: '/a',
      tag: 't',
      format: 'none',
      ...options,
    });
    const [issue] = result.error?.issues ?? [];
    return `${issue?.path.join('.')}: ${issue?.message}`;
  };
  assert.match(fault({ encoding: 'klingon' }), /^encoding: .*not a known encoding/);
  assert.match(fault({ encoding: 'utf-16', multiline: { end: 'x' } }), /^multiline: .*UTF-16/);
  assert.match(fault({ multiline: { end: 'x', start: 'y' } }), /^multiline: expected exactly one/);
  assert.match(fault({ multiline: { start: '(' } }), /^multiline.start: expected a regular expression/);
});

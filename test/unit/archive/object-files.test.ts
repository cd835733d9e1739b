/** Objects become files: fetched whole and checked, in pieces where they are large, and no more than allowed. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import type { CatalogEntry } from '../../../archive/catalog.ts';
import type { CommitObject } from '../../../archive/commit.ts';
import { objectFiles } from '../../../archive/object-files.ts';
import { TailraceError } from '../../../base/errors.ts';
import { sha256 } from '../../../base/sha256.ts';

const root = mkdtempSync(join(tmpdir(), 'tailrace-object-files-'));
after(() => rmSync(root, { recursive: true }));

const HOUR = 494_000;
const large = Buffer.alloc(9 * 1024 * 1024, 'large');
const bytesOf: Readonly<Record<string, Buffer>> = {
  a: Buffer.from('first'),
  b: large,
  c: Buffer.from('third'),
};

function entry(key: string, changes: Partial<CommitObject> = {}): CatalogEntry {
  const bytes = bytesOf[key[0]!]!;
  const object = {
    ...{
      key,
      tag: key === 'b' ? 'other' : 'tag',
      hour: HOUR,
      codec: 'gzip',
      foreign: 0,
      bytes: bytes.length,
    },
    ...{ sha256: sha256(bytes), ...changes },
  } as CommitObject;
  return { object, incarnation: '', shard: '', number: 1 };
}

const store = {
  async get(key: string): Promise<Buffer | null> {
    if (key === 'cold') throw new TailraceError('OBJECT_COLD', 'cold');
    return bytesOf[key] ?? null;
  },
  async range(key: string, first: number, last: number): Promise<Buffer | null> {
    return bytesOf[key]!.subarray(first, last + 1);
  },
};

let number = 0;
function files(entries: readonly CatalogEntry[], changes: object = {}) {
  const folder = join(root, `${number++}`);
  mkdirSync(folder);
  const options = { store, folder, archiveFolder: undefined, limit: 1e9, show: undefined, ...changes };
  return objectFiles(entries, options);
}

test('objects of S3 are fetched, and those that cannot be had are named', async () => {
  const entries = [
    entry('a'),
    entry('b'),
    entry('cold'),
    entry('away', { bytes: 5 }),
    entry('c', { sha256: 'other' }),
  ];
  const { files: there, faults, fetched } = await files(entries);
  assert.deepEqual(
    there.map(({ path, tag, hour }) => [tag, hour, path.slice(-3), readFileSync(path).length]),
    [
      ['tag', HOUR, '0-a', 5],
      ['other', HOUR, '1-b', large.length],
    ],
  );
  assert.ok(readFileSync(there[1]!.path).equals(large));
  assert.equal(
    fetched,
    entries.reduce((sum, { object }) => sum + object.bytes, 0),
  );
  assert.deepEqual(faults.map(({ key, fault }) => `${key} ${fault}`.slice(0, 20)).sort(), [
    'away is missing: exp',
    'c does not match its',
    'cold is in cold stor',
  ]);
});

test('an archive in a folder is read in place, but for a file of another size', async () => {
  const archiveFolder = realpathSync(join(root));
  for (const [key, bytes] of [
    ['a', bytesOf.a!],
    ['c', Buffer.from('longer than that')],
  ] as const) {
    mkdirSync(dirname(join(archiveFolder, key)), { recursive: true });
    writeFileSync(join(archiveFolder, key), bytes);
  }
  const { files: there, fetched } = await files([entry('a'), entry('c')], { archiveFolder });
  assert.deepEqual(
    there.map(({ path }) => path === join(archiveFolder, 'a')),
    [true, false],
  );
  assert.equal(fetched, 5);
});

test('a damaged file of an archive in a folder is named, not read', async () => {
  const archiveFolder = mkdtempSync(join(root, 'damaged-'));
  writeFileSync(join(archiveFolder, 'a'), Buffer.from('fi_st'));
  const { files: there, faults } = await files([entry('a')], { archiveFolder });
  assert.deepEqual([there.length, faults.length], [0, 1]);
  assert.match(faults[0]!.fault, /^does not match its checksum/);
});

test('nothing is fetched of what is too much', async () => {
  const silent = { get: () => assert.fail(), range: () => assert.fail() };
  await assert.rejects(files([entry('a'), entry('b')], { store: silent, limit: 9 * 1024 * 1024 }), {
    code: 'QUERY_TOO_LARGE',
    message: /^the query needs 2 objects of 9\.0 MiB in all, more than --cache 9\.0 MiB/,
  });
});

/** Folders of objects as an archive has them, and of lines of every doubtful kind, for readers to be tried on. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import type { CommitObject } from '../../archive/commit.ts';
import { fence } from '../../archive/voiding.ts';
import type { StreamRecord } from '../../archive/writer/record.ts';
import { Deflater } from '../../chunk/deflate.ts';
import type { Codec } from '../../chunk/header.ts';
import { openArchiver } from '../support/archiver.ts';
import { ChunkSource, type Ending } from '../support/chunks.ts';
import { HOSTILE } from '../support/hostile-events.ts';
import { foreignLines, forwardLines, tailLines } from '../support/hostile-lines.ts';
import { MemoryArchive } from '../support/memory-archive.ts';
import { generator, noise } from '../support/random.ts';
import { tablesOf } from './tables.ts';

export interface Case {
  readonly name: string;
  /**
   * Whether it is about the form of objects, one line in a sound object, an object of no rows next to one, lines that
   * the build makes of hostile events, or names and types that come late.
   */
  readonly about: 'object' | 'line' | 'void' | 'made' | 'late';
  readonly codec: Codec;
  readonly rows: number;
}

const HOUR = 494_000;
const HOUR_MS = 3_600_000;
const SOUND_LINES = 99;

/** What one legal JSON object on a line can hold that not every reader takes. */
const LINES: Readonly<Record<string, string>> = {
  'half a surrogate pair, high': '{"id":"\\ud800"}',
  'half a surrogate pair, low': '{"id":"x\\udc00"}',
  'a key twice': '{"id":"a","id":"b"}',
  'a key twice inside': '{"id":"a","o":{"k":1,"k":2}}',
  'a key that differs in case': '{"id":"a","ID":"b"}',
  'an empty key': '{"id":"a","":1}',
  'an integer beyond 64 bits': '{"id":"a","n":123456789012345678901234567890}',
  'an integer of 64 bits': '{"id":"a","n":18446744073709551615}',
  'a whole number with a fraction, beyond 64 bits': '{"id":"a","n":100000000000000000000.0}',
  'a whole number with an exponent, beyond 64 bits': '{"id":"a","n":1e+20}',
  'a number beyond any double': '{"id":"a","n":1e400}',
  'a number below any double': '{"id":"a","n":1e-400}',
  'minus zero': '{"id":"a","n":-0}',
  '\\u0000': '{"id":"\\u0000"}',
  '\\u0000 in a name': '{"id":"a","\\u0000":1}',
  'other control escapes': '{"id":"\\u0001\\u001f\\b"}',
  'raw DEL': '{"id":"\x7f"}',
  'a name that is a number elsewhere': '{"id":1}',
  'a name that is an object elsewhere': '{"id":{"base64":"AA=="}}',
  'null where numbers are elsewhere': '{"id":null,"id#2":"1e400"}',
  'nesting 63 deep': `{"id":"a","n":${'['.repeat(62)}${']'.repeat(62)}}`,
  'nesting 64 deep': `{"id":"a","n":${'['.repeat(63)}${']'.repeat(63)}}`,
  'nesting 100 deep': `{"id":"a","n":${'['.repeat(99)}${']'.repeat(99)}}`,
  'nesting 200 deep': `{"id":"a","n":${'['.repeat(199)}${']'.repeat(199)}}`,
};

/** What could stand under a voided name: the first is what does. */
const VOID_FORMS: Readonly<Record<string, Buffer>> = {
  'a gzip member of nothing': gzipSync(''),
  'no bytes': Buffer.alloc(0),
  'a line break': gzipSync('\n'),
  'a blank line': gzipSync(' \n'),
  '`null`': gzipSync('null\n'),
  '`[]`': gzipSync('[]\n'),
  '`{}`': gzipSync('{}\n'),
};

const PATHS = { tail: tailLines, forward: forwardLines, foreign: foreignLines } as const;

const numbered = (lines: number): string[] => Array.from({ length: lines }, (_, i) => `{"id":"s${i}"}`);
/** What a name's first lines do not say of it: lines of the objects of a case, in the order of their names. */
const LATE: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'a name first in line 150': [[...numbered(149), '{"id":"a","late":1}']],
  'a name first in line 2,000': [[...numbered(1999), '{"id":"a","late":1}']],
  'a name first in line 30,000': [[...numbered(29_999), '{"id":"a","late":1}']],
  'a name in the second object alone': [numbered(99), ['{"id":"a","late":1}']],
  'a name in the 40th object alone': [
    ...Array.from({ length: 39 }, () => numbered(5)),
    ['{"id":"a","late":1}'],
  ],
  'an integer that becomes a fraction': [['{"id":"a","v":1}'], ['{"id":"b","v":1.5}']],
  'a number that becomes text': [['{"id":"a","v":1}'], ['{"id":"b","v":"x"}']],
  'a number that becomes an object': [['{"id":"a","v":1}'], ['{"id":"b","v":{"w":1}}']],
  'an object that gets further names': [['{"id":"a","v":{"w":1}}'], ['{"id":"b","v":{"w":2,"x":"y"}}']],
  'null that becomes an object': [['{"id":"a","v":null}'], ['{"id":"b","v":{"w":2}}']],
  'times of nanoseconds': [
    ['{"id":"a","v":"2026-11-23T21:00:00.123456789Z"}', '{"id":"b","v":"2026-11-23T21:00:00Z"}'],
  ],
  'dates that become text': [['{"id":"a","v":"2026-11-23"}'], ['{"id":"b","v":"tomorrow"}']],
  'decimals as strings': [
    ['{"id":"a","v":"1.10"}', '{"id":"b","v":"007"}', '{"id":"c","v":"12345678901234567890"}'],
  ],
};

/**
 * Writes a folder for each case under `directory`; its name is the case's place in the list. Next to it are the tables that
 * readers with a declared schema have of it.
 */
export async function makeCases(directory: string): Promise<readonly Case[]> {
  const now = await archived('gzip', 'spliceable');
  const old = await archived('gzip', 'old');
  const zstd = await archived('zstd', 'spliceable');
  const objects: [string, Codec, readonly Made[]][] = [
    ['gzip', 'gzip', [now]],
    ['gzip of old agents', 'gzip', [old]],
    ['gzip, mixed', 'gzip', [now, old]],
    ['gzip, voided first', 'gzip', [await voided('gzip', 'a'), now]],
    ['gzip, voided last', 'gzip', [now, await voided('gzip', 'z')]],
    ['zstd', 'zstd', [zstd]],
    ['zstd, voided last', 'zstd', [zstd, await voided('zstd', 'z')]],
  ];
  const cases: Case[] = [];
  const add = (one: Case, files: readonly (readonly [string, Buffer])[]): void => {
    const folder = path.join(directory, String(cases.length));
    fs.mkdirSync(folder);
    for (const [name, bytes] of files) fs.writeFileSync(path.join(folder, name), bytes);
    const lines = files.flatMap(([, bytes]) => linesOf(bytes, one.codec));
    fs.writeFileSync(`${folder}.tables.json`, JSON.stringify(tablesOf(lines)));
    cases.push(one);
  };
  for (const [name, codec, made] of objects) {
    const rows = made.reduce((sum, one) => sum + one.rows, 0);
    add(
      { name, about: 'object', codec, rows },
      made.flatMap(({ files }) => files),
    );
  }
  const sound = Array.from({ length: SOUND_LINES }, (_, i) => `{"id":"s${i}"}\n`);
  for (const [name, line] of Object.entries(LINES)) {
    const text = [...sound.slice(0, 50), `${line}\n`, ...sound.slice(50)].join('');
    const bytes = gzipSync(Buffer.from(text));
    add({ name, about: 'line', codec: 'gzip', rows: SOUND_LINES + 1 }, [['lines.ndjson.gz', bytes]]);
  }
  for (const [kind, events] of Object.entries(HOSTILE))
    for (const [path, linesOf] of Object.entries(PATHS)) {
      const lines = await linesOf(events);
      if (lines.length === 0) continue;
      const text = [...sound.slice(0, 50), ...lines.map((line) => `${line}\n`), ...sound.slice(50)].join('');
      const rows = SOUND_LINES + lines.length;
      add({ name: `${kind}: ${path}`, about: 'made', codec: 'gzip', rows }, [
        ['lines.ndjson.gz', gzipSync(text)],
      ]);
    }
  for (const [name, objects] of Object.entries(LATE)) {
    const files = objects.map(
      (lines, i) => [`${100 + i}.ndjson.gz`, gzipSync(`${lines.join('\n')}\n`)] as const,
    );
    add({ name, about: 'late', codec: 'gzip', rows: objects.flat().length }, files);
  }
  for (const [name, bytes] of Object.entries(VOID_FORMS))
    for (const [where, file] of [
      ['first', 'a'],
      ['last', 'z'],
    ])
      add({ name: `${name}, ${where}`, about: 'void', codec: 'gzip', rows: SOUND_LINES }, [
        ['lines.ndjson.gz', gzipSync(sound.join(''))],
        [`${file}.ndjson.gz`, bytes],
      ]);
  return cases;
}

/** Of zstd those of the first frame, which say as much of the fields. */
function linesOf(bytes: Buffer, codec: Codec): string[] {
  if (bytes.length === 0) return [];
  const plain = codec === 'gzip' ? gunzipSync(bytes) : zstdDecompressSync(bytes);
  return plain.toString().split('\n');
}

interface Made {
  readonly rows: number;
  readonly files: readonly (readonly [name: string, bytes: Buffer])[];
}

/** What today's archiver makes of an agent's chunks: one object of some parts, and one of one. */
async function archived(codec: Codec, ending: Ending): Promise<Made> {
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive, { now: () => HOUR * HOUR_MS });
  // As agents compress by default.
  const source = new ChunkSource({ name: `${codec} ${ending}`, codec, deflater: Deflater.create() });
  const random = generator(17);
  let rows = 0;
  const records = Array.from({ length: 60 }, (_, i): StreamRecord => {
    const events = 100 + (i % 7);
    rows += events;
    const tag = i % 10 === 0 ? 'small' : 'large';
    const filler = tag === 'large' ? noise(random, 60).toString('hex') : '';
    const { bytes } = source.next(tag, HOUR, events, {}, codec === 'zstd' ? 'spliceable' : ending, filler);
    return { sequence: `${1000 + i}`, arrival: HOUR * HOUR_MS, data: bytes };
  });
  await archiver.take(records, false);
  await archiver.end();
  const objects = [...archive.objects].filter(([key]) => key.startsWith('logs/'));
  const files = objects.map(([, bytes], i) => {
    const name = `m${ending}-${i}.ndjson.${codec === 'gzip' ? 'gz' : 'zst'}`;
    return [name, bytes] as const;
  });
  return { rows, files };
}

async function voided(codec: Codec, name: string): Promise<Made> {
  const archive = new MemoryArchive();
  const key = `${name}.ndjson.${codec === 'gzip' ? 'gz' : 'zst'}`;
  await fence(archive, { key, codec, bytes: 1 } as CommitObject);
  return { rows: 0, files: [[key, archive.objects.get(key)!]] };
}

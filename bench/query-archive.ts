/** Raw access logs and the archive of them, for questions: every hour of some days, the same for the same seed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ArchiveStore } from '../archive/store.ts';
import { encodeChunk } from '../chunk/writer.ts';
import { openArchiver } from '../test/support/archiver.ts';
import { digest32, epochName } from '../test/support/chunks.ts';
import { generator } from '../test/support/random.ts';
import { ndjson } from './ndjson-lines.ts';

export const TAG = 'nginx.access';
/** 2026-10-24T00Z. */
export const FIRST_HOUR = Date.UTC(2026, 9, 24) / 3_600_000;
/** An address whose requests are few, all day. */
export const RARE_ADDRESS = '203.0.113.77';
/** nginx's combined and the request's time: what the archive's fields are made of. */
export const LOG_FORMAT =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time';

export interface Filled {
  /** Of raw lines. */
  readonly rawBytes: number;
  readonly lines: number;
}

export interface FillOptions {
  /** Gets raw/, a log file an hour, and s3/, the archive. */
  readonly folder: string;
  readonly rawBytes: number;
  readonly days: number;
  readonly seed: number;
  /** Objects of an hour: the consumer's default of 300 s makes 12. */
  readonly batches: number;
  readonly onHour?: (done: number, total: number) => void;
}

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
];
const PATHS = ['products', 'cart', 'search', 'static/js', 'api/v1/orders'];
const CODES = [200, 200, 200, 200, 200, 200, 304, 301, 404, 500];
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
/** What a line is long on average. */
const LINE_BYTES = 245;

/** Makes raw logs and archive, or takes those of an earlier call with the same options. */
export async function fill(options: FillOptions): Promise<Filled> {
  const { folder, rawBytes, days, seed, batches, onHour } = options;
  const done = join(folder, 'filled.json');
  const wanted = JSON.stringify({ rawBytes, days, seed, batches });
  if (existsSync(done)) {
    const found = JSON.parse(readFileSync(done, 'utf8')) as Filled & { wanted: string };
    if (found.wanted === wanted) return found;
  }
  mkdirSync(join(folder, 'raw'), { recursive: true });
  const random = generator(seed);
  const archiver = await openArchiver(new FolderStore(join(folder, 's3')));
  const total = days * 24;
  const perBatch = Math.max(1, Math.round(rawBytes / total / batches / LINE_BYTES));
  const filled = { rawBytes: 0, lines: 0 };
  for (let i = 0; i < total; i++) {
    const texts: string[] = [];
    for (let batch = 0; batch < batches; batch++) {
      const first = (FIRST_HOUR + i) * 3_600_000 + (batch * 3_600_000) / batches;
      const text = rawLines(perBatch, first, 3_600_000 / batches, random);
      texts.push(text);
      const sequence = i * batches + batch + 1;
      const data = chunk(text, sequence, FIRST_HOUR + i, perBatch);
      await archiver.take([{ sequence: `${sequence}`, arrival: first + 3_600_000 / batches, data }], false);
      await archiver.flush();
    }
    const raw = texts.join('');
    writeFileSync(join(folder, 'raw', `access-${String(i).padStart(4, '0')}.log`), raw);
    filled.rawBytes += Buffer.byteLength(raw);
    filled.lines += perBatch * batches;
    onHour?.(i + 1, total);
  }
  writeFileSync(done, JSON.stringify({ ...filled, wanted }));
  return filled;
}

function chunk(text: string, sequence: number, hour: number, events: number): Buffer {
  const raw = ndjson(Buffer.from(text), { type: 'nginx', log_format: LOG_FORMAT });
  const times = [...raw.toString().matchAll(/"time":"([^"]+)"/g)].map(([, time]) => Date.parse(time!));
  const header = {
    ...{ lane: digest32('lane'), sequence, producer: digest32('producer'), epoch: epochName(1) },
    ...{ ordinal: sequence, floor: epochName(1), previous: null, end: false, tag: TAG, hour },
    ...{ firstTime: times[0]!, lastTime: times.at(-1)!, events },
  };
  return encodeChunk(raw, header, { codec: 'gzip', level: 1 });
}

function rawLines(count: number, first: number, span: number, random: () => number): string {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  let text = '';
  for (let i = 0; i < count; i++) {
    const time = clf(new Date(first + (span * i) / count));
    const isRare = random() < 0.002;
    const address = isRare
      ? RARE_ADDRESS
      : [10, 256, 256, 256].map((n) => Math.floor(random() * n)).join('.');
    const path = `/${pick(PATHS)}/${Math.floor(random() * 1e5)}?ref=mail&session=${Math.floor(random() * 2 ** 32).toString(16)}`;
    const referer = random() < 0.3 ? '-' : `https://www.example.com/category/${Math.floor(random() * 300)}`;
    const took = (-Math.log(1 - random()) * 0.08).toFixed(3);
    text += `${address} - - [${time}] "${random() < 0.05 ? 'POST' : 'GET'} ${path} HTTP/1.1" ${pick(CODES)} ${Math.floor(random() * 48_611)} "${referer}" "${pick(AGENTS)}" ${took}\n`;
  }
  return text;
}

function clf(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** An archive in a folder, written without a server: `tailrace --folder` reads it. */
class FolderStore implements ArchiveStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async putIfAbsent(key: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    const path = join(this.#folder, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.concat(body));
    return 'created';
  }

  async get(key: string): Promise<Buffer | null> {
    const path = join(this.#folder, key);
    return existsSync(path) ? readFileSync(path) : null;
  }

  async head(key: string): Promise<number | null> {
    return (await this.get(key))?.length ?? null;
  }

  async first(prefix: string): Promise<string | null> {
    const path = join(this.#folder, prefix);
    const names = existsSync(path) ? readdirSync(path).sort() : [];
    return names[0] === undefined ? null : prefix + names[0];
  }

  async folders(prefix: string): Promise<string[]> {
    const path = join(this.#folder, prefix);
    return existsSync(path) ? readdirSync(path).sort() : [];
  }
}

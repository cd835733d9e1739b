/** An archive of any length in no memory: what a store would list and hold is computed from its name. */
import { createHash } from 'node:crypto';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import { type Commit, commitHash, encodeCommit } from '../archive/commit.ts';
import {
  commitKey,
  DEFAULT_KEY_TEMPLATE,
  dateAndHour,
  objectKey,
  parseCommitKey,
} from '../archive/commit-keys.ts';
import type { ListableStore } from '../archive/listing.ts';
import { splice } from '../archive/spliced.ts';
import { sha256 } from '../base/sha256.ts';

const INCARNATION = '0'.repeat(18);
const COMMIT_MS = 300_000;
const HOUR_MS = 3_600_000;
const PER_HOUR = HOUR_MS / COMMIT_MS;
const PAGE = 1000;
const LANES = 20;
const PER_SNAPSHOT = 64;
const TAG = 'nginx.access';
/** Of every commit, so that a listing need not make them. */
const HASH = '0'.repeat(16);

/** The lines of every object. */
const EVENTS = 1000;
const RAW = Buffer.from(
  Array.from({ length: EVENTS }, (_, i) => {
    const path = `/${createHash('sha256').update(`${i}`).digest('hex').slice(0, 24)}`;
    return `${JSON.stringify({ remote: `10.0.${i % 250}.${i % 7}`, method: 'GET', path, code: 200, size: i * 17 })}\n`;
  }).join(''),
);
const DEFLATED = deflateRawSync(RAW, { finishFlush: constants.Z_SYNC_FLUSH });
const DATA = Buffer.concat(
  splice(
    [{ data: DEFLATED, crc: crc32(RAW), rawBytes: RAW.length, events: EVENTS, firstTime: 0, lastTime: 0 }],
    0,
  ),
);

export class SeededArchive implements ListableStore {
  /** What an S3 would have been asked, pages of lists included. */
  requests = 0;
  readonly #firstHour: number;
  readonly #hours: number;
  readonly #shards: readonly string[];
  readonly #commits = new Map<string, Buffer>();

  /** Each shard commits every five minutes, one object of one tag. */
  constructor(firstHour: number, hours: number, shards: number) {
    this.#firstHour = firstHour;
    this.#hours = hours;
    this.#shards = Array.from({ length: shards }, (_, i) => `shardId-${String(i).padStart(12, '0')}`);
  }

  get commits(): number {
    return this.#hours * PER_HOUR * this.#shards.length;
  }

  /** Makes all commits now, so that reading them costs nothing but reading. */
  prepare(): void {
    for (const shard of this.#shards) {
      for (let n = 1; n <= this.#hours * PER_HOUR; n++) this.#commitBytes(shard, n);
    }
  }

  async putIfAbsent(): Promise<'created' | 'exists'> {
    throw new Error('this archive is only read');
  }

  async get(key: string): Promise<Buffer | null> {
    this.requests += 1;
    const place = parseCommitKey(key);
    if (place) return this.#commitBytes(place.shard, place.number);
    return key.startsWith('logs/') ? DATA : null;
  }

  async head(): Promise<number | null> {
    this.requests += 1;
    return DATA.length;
  }

  async first(prefix: string): Promise<string | null> {
    this.requests += 1;
    const shard = this.#shards.find((name) => prefix === '_commits/' || prefix.includes(`/${name}/`));
    return shard === undefined ? null : commitKey('', INCARNATION, shard, this.#hours * PER_HOUR);
  }

  async folders(prefix: string): Promise<string[]> {
    this.requests += 1;
    if (prefix === '_commits/') return [INCARNATION];
    if (prefix.startsWith('_commits/')) return [...this.#shards];
    if (prefix === 'logs/') return [`tag=${TAG}`];
    if (prefix === 'logs/tag=') return [TAG];
    const days = new Set<string>();
    for (let h = 0; h < this.#hours; h++) days.add(dateAndHour(this.#firstHour + h)[0]);
    return [...days];
  }

  async *list(prefix: string): AsyncGenerator<{ key: string; bytes: number }> {
    let listed = 0;
    const [, dt, hh] = /dt=([^/]*)\/hour=(\d\d)?/.exec(prefix) ?? [];
    if (dt === undefined) {
      // Nothing is compacted, and nobody lists a log.
      this.requests += 1;
      return;
    }
    const day = Date.parse(`${dt}T00:00:00Z`) / HOUR_MS - this.#firstHour;
    const [from, to] = hh === undefined ? [day, day + 24] : [day + Number(hh), day + Number(hh) + 1];
    for (let h = Math.max(0, from); h < Math.min(to, this.#hours); h++) {
      for (const shard of this.#shards) {
        // Put together by hand: the bench is not about making keys.
        const [start, end] = this.#objectKey(shard, h * PER_HOUR + 1, HASH).split(`-${h * PER_HOUR + 1}-`);
        for (let i = 1; i <= PER_HOUR; i++) {
          if (listed++ % PAGE === 0) this.requests += 1;
          yield { key: `${start}-${h * PER_HOUR + i}-${end}`, bytes: DATA.length };
        }
      }
    }
  }

  #objectKey(shard: string, number: number, hash: string): string {
    return objectKey('', DEFAULT_KEY_TEMPLATE, {
      tag: TAG,
      hour: this.#hourOf(number),
      codec: 'gzip',
      incarnation: INCARNATION,
      shard,
      number,
      hash,
      part: '',
      counts: { events: EVENTS, rawBytes: RAW.length },
    });
  }

  #hourOf(number: number): number {
    return this.#firstHour + Math.floor((number - 1) / PER_HOUR);
  }

  #commitBytes(shard: string, number: number): Buffer {
    const name = `${shard}/${number}`;
    let bytes = this.#commits.get(name);
    if (bytes === undefined) {
      bytes = encodeCommit(this.#commit(shard, number));
      this.#commits.set(name, bytes);
    }
    return bytes;
  }

  #commit(shard: string, number: number): Commit {
    const hour = this.#hourOf(number);
    const written = this.#firstHour * HOUR_MS + number * COMMIT_MS;
    const of = this.#shards.indexOf(shard) * LANES + 1;
    const lane = (i: number): string => (of + i).toString(16).padStart(32, '0');
    const lanes = Array.from({ length: LANES }, (_, i) => lane(i));
    const epoch = '1'.padStart(16, '0');
    const isSnapshot = number === 1 || number % PER_SNAPSHOT === 0;
    const bare: Commit = {
      version: 2,
      hash: '',
      stream: 'weblogs',
      incarnation: INCARNATION,
      shard,
      range: ['0'.repeat(32), 'f'.repeat(32)],
      parents: [],
      number,
      encoder: 3,
      from: `${number * 1000}`,
      to: `${number * 1000 + 999}`,
      arrival: [written - COMMIT_MS, written],
      written,
      close: false,
      records: 100,
      objects: [
        {
          key: '',
          tag: TAG,
          hour,
          codec: 'gzip',
          form: 'member',
          first_time: hour * HOUR_MS,
          last_time: hour * HOUR_MS + 1,
          bytes: DATA.length,
          sha256: sha256(DATA),
          chunks: LANES,
          events: EVENTS,
          raw_bytes: RAW.length,
          foreign: 0,
          runs: Object.fromEntries(lanes.map((one) => [one, `${number}`])),
        },
      ],
      empty: {},
      lanes: Object.fromEntries(lanes.map((one) => [one, [one, epoch] as [string, string]])),
      producers: [],
      skipped: { duplicates: 0, bytes: 0 },
      unproven: 0,
      damaged: 0,
      voided: [],
      kept: {},
      snapshot: isSnapshot
        ? {
            lanes: Object.fromEntries(
              lanes.map((one) => [
                one,
                [one, epoch, `1-${number}`, written] as [string, string, string, number],
              ]),
            ),
            floors: {},
          }
        : null,
      snapshot_at: Math.max(1, number - (number % PER_SNAPSHOT)),
    };
    const key = this.#objectKey(shard, number, HASH);
    return { ...bare, hash: commitHash(bare), objects: [{ ...bare.objects[0]!, key }] };
  }
}

/**
 * Reads the numbers of the demo's events from the archive's objects through the S3 API and zlib: an oracle that relies on
 * neither commits nor chunk headers.
 */
import * as zlib from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { Runs } from '../archive/runs.ts';
import { zstdFrames } from '../archive/zstd-frames.ts';
import { type Made, NOTHING_MADE, type Numbers, ROUTES, type Route } from './demo/ledger.ts';

/** How often each number occurs in the archive. */
export type Archived = Readonly<Record<Route, ReadonlyMap<number, number>>>;

const DATA_OBJECT = /\.ndjson\.(gz|zst)$/;
/** The number in an archived event: in the request's query, or in a field. */
const NUMBER = { log: /[?&]event=(\d+)/, forward: /"event_number":(\d+)/ } as const;

/** Objects never change once they exist, so each is read once, when {@link read} first finds it. */
export class ArchiveReader {
  readonly #s3: S3Client;
  readonly #bucket: string;
  readonly #seen = new Set<string>();
  readonly #counts = { log: new Map<number, number>(), forward: new Map<number, number>() };
  #bytes = 0;
  #others = 0;

  constructor(s3: S3Client, bucket: string) {
    this.#s3 = s3;
    this.#bucket = bucket;
  }

  get counts(): Archived {
    return this.#counts;
  }

  /** Distinct events found so far. */
  get found(): number {
    return this.#counts.log.size + this.#counts.forward.size;
  }

  get objects(): number {
    return this.#seen.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Archived events that do not come from the demo. */
  get others(): number {
    return this.#others;
  }

  /** Reads the objects that are new since the last call. */
  async read(): Promise<void> {
    let token: string | undefined;
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
      for (const { Key: key } of page.Contents ?? []) {
        if (key !== undefined && DATA_OBJECT.test(key) && !this.#seen.has(key)) await this.#readObject(key);
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async #readObject(key: string): Promise<void> {
    const { Body: body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
    const bytes = Buffer.from((await body?.transformToByteArray()) ?? []);
    this.#seen.add(key);
    this.#bytes += bytes.length;
    if (bytes.length === 0) return;
    for (const text of decompress(key, bytes)) {
      for (const line of text.split('\n')) if (line !== '') this.#count(line);
    }
  }

  #count(line: string): void {
    for (const route of ROUTES) {
      const match = NUMBER[route].exec(line);
      if (match === null) continue;
      const number = Number(match[1]);
      this.#counts[route].set(number, (this.#counts[route].get(number) ?? 0) + 1);
      return;
    }
    this.#others++;
  }
}

/** zlib reads concatenated gzip members as one stream; of several zstd frames it would silently read only the first. */
function* decompress(key: string, bytes: Buffer): Generator<string> {
  if (key.endsWith('.gz')) yield zlib.gunzipSync(bytes).toString();
  else for (const frame of zstdFrames(bytes)) yield zlib.zstdDecompressSync(frame).toString();
}

export interface Comparison {
  readonly made: number;
  /** Distinct events in the archive, of those made and those in doubt. */
  readonly archived: number;
  /** Made, and not in the archive: lost if all of it has been through the pipeline, otherwise not archived yet. */
  readonly missing: number;
  readonly repeated: number;
  /** Archived although never made: numbers that the demo has not assigned. */
  readonly invented: number;
  /** Events that may or may not have been sent, because no ack arrived or the demo was killed. */
  readonly unsure: number;
  /** The first few faults, for people: `lost: access log 17`. */
  readonly examples: readonly string[];
}

/** What is in `all` and not in `before`. */
function without(all: Made, before: Made): Made {
  const rest = (route: Route): Numbers => {
    const made = Runs.parse(all[route].made.toString());
    const unsure = Runs.parse(all[route].unsure.toString());
    for (const known of [before[route].made, before[route].unsure]) {
      made.subtract(known);
      unsure.subtract(known);
    }
    return { made, unsure };
  };
  return { log: rest('log'), forward: rest('forward') };
}

const EXAMPLES = 5;
const NAMES: Readonly<Record<Route, string>> = { log: 'access log', forward: 'application event' };

/** Compares event by event. Events in `before`, those of earlier runs, are ignored on both sides. */
export function compare(all: Made, archived: Archived, before: Made = NOTHING_MADE): Comparison {
  const made = without(all, before);
  const examples: string[] = [];
  const example = (list: readonly number[], what: string, route: Route): void => {
    for (const number of list.slice(0, EXAMPLES)) examples.push(`${what}: ${NAMES[route]} ${number}`);
  };
  const totals = { made: 0, archived: 0, missing: 0, repeated: 0, invented: 0, unsure: 0 };
  for (const route of ROUTES) {
    const { made: sure, unsure } = made[route];
    const counts = archived[route];
    const missing: number[] = [];
    for (const [first, last] of sure) {
      for (let number = first; number <= last; number++) if (!counts.has(number)) missing.push(number);
    }
    const repeated: number[] = [];
    const invented: number[] = [];
    let found = 0;
    for (const [number, count] of counts) {
      if (before[route].made.has(number) || before[route].unsure.has(number)) continue;
      found++;
      if (!sure.has(number) && !unsure.has(number)) invented.push(number);
      else if (count > 1) repeated.push(number);
    }
    totals.made += sure.count;
    totals.unsure += unsure.count;
    totals.archived += found - invented.length;
    totals.missing += missing.length;
    totals.repeated += repeated.length;
    totals.invented += invented.length;
    example(missing, 'lost', route);
    example(repeated, 'repeated', route);
    example(invented, 'never made', route);
  }
  return { ...totals, examples };
}

/** What all shards of a process share: the view of the stream, and the connections to S3. */
import type { Logger } from 'pino';
import { KinesisStream } from '../../archive/kinesis-stream.ts';
import { type S3Options, S3Store } from '../../archive/s3.ts';
import type { ShardConfig } from './config.ts';

export class Resources {
  readonly #config: ShardConfig;
  readonly #log: Logger;
  readonly #store: S3Store;
  #stream: Promise<KinesisStream> | null = null;

  constructor(config: ShardConfig, log: Logger) {
    const { bucket, region, endpoint, storage_class, kms_key, encryption, tags } = config.archive;
    this.#config = config;
    this.#log = log;
    const options = {
      tries: Number.POSITIVE_INFINITY,
      storageClass: storage_class,
      kmsKey: kms_key,
      encryption,
      tags,
    };
    this.#store = new S3Store({ bucket, region, endpoint }, options);
  }

  /** The stream as it was when this process began; a launcher starts another process for a stream that is recreated. */
  stream(): Promise<KinesisStream> {
    this.#stream ??= KinesisStream.open(this.#config.stream, (error) =>
      this.#log.warn({ error: error.message }, 'Kinesis does not answer'),
    );
    return this.#stream;
  }

  store(watch: Pick<S3Options, 'onTrouble' | 'onAnswer'>): S3Store {
    return this.#store.withOptions(watch);
  }
}

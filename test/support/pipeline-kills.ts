/** Kills every process of a running pipeline once, lets it finish, and compares what was made with what is archived. */
import { setTimeout as wait } from 'node:timers/promises';
import { ArchiveReader, type Comparison, compare } from '../../local/archive.ts';
import { endpointEnv, s3Client } from '../../local/clients.ts';
import { readMade } from '../../local/demo/ledger.ts';
import type { Pipeline } from '../../local/pipeline.ts';
import { tailrace } from './agent-process.ts';
import { descendants } from './process-tree.ts';

const LOOK_EVERY_MS = 200;

export class KilledPipeline {
  readonly #pipeline: Pipeline;
  readonly #archive: ArchiveReader;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#archive = new ArchiveReader(s3Client(pipeline.stack.s3Endpoint), pipeline.stack.bucket);
  }

  /**
   * Each kill -9 hits a pipeline that has archived something since the last one.
   *
   * @returns what was killed
   */
  async killEach(): Promise<string[]> {
    const pipeline = this.#pipeline;
    const kills: readonly (readonly [string, () => Promise<void>])[] = [
      [
        'the process of the shards',
        async () => {
          process.kill(await this.#consumerProcess(/consumer\/shard\/child\.ts/), 'SIGKILL');
        },
      ],
      [
        'the KCL daemon',
        async () => {
          process.kill(await this.#consumerProcess(/MultiLangDaemon/), 'SIGKILL');
        },
      ],
      [
        'the agent',
        async () => {
          await pipeline.kill(pipeline.agent);
          pipeline.restartAgent();
          // A process that is asked to stop before it listens to signals ends by the signal.
          while ((await pipeline.status()).agent === null) {
            await Promise.race([pipeline.died, wait(LOOK_EVERY_MS)]);
          }
        },
      ],
      [
        'the consumer',
        async () => {
          await pipeline.kill(pipeline.consumer);
          pipeline.restartConsumer();
        },
      ],
    ];
    await this.archivedMore();
    for (const [, kill] of kills) {
      await kill();
      await this.archivedMore();
    }
    return kills.map(([name]) => name);
  }

  /**
   * Stops the demo, the agent, and the consumer once all is archived.
   *
   * @throws Error when the agent did not send all it had
   */
  async finish(): Promise<Comparison> {
    const pipeline = this.#pipeline;
    await pipeline.stopDemo();
    const { code } = await pipeline.stopAgent();
    if (code !== 0) throw new Error(`the agent ended with ${code}`);
    const made = readMade(pipeline.paths.demo);
    while (compare(made, this.#archive.counts).missing > 0) await this.archivedMore();
    await pipeline.stopConsumer();
    await this.#archive.read();
    return compare(made, this.#archive.counts);
  }

  /** `tailrace verify --deep` of what is archived. */
  verify(): ReturnType<typeof tailrace> {
    const { bucket, s3Endpoint, kinesisEndpoint, dynamodbEndpoint } = this.#pipeline.stack;
    const env = endpointEnv({ kinesis: kinesisEndpoint, dynamodb: dynamodbEndpoint, s3: s3Endpoint });
    return tailrace(['verify', '--bucket', bucket, '--endpoint', s3Endpoint, '--deep'], '', env);
  }

  /** Resolves when events are archived that were not before. */
  async archivedMore(): Promise<void> {
    const before = this.#archive.found;
    do {
      await Promise.race([this.#pipeline.died, wait(LOOK_EVERY_MS)]);
      await this.#archive.read();
    } while (this.#archive.found === before);
  }

  /** Waits for it: what was killed takes the daemon along, which the launcher then restarts. */
  async #consumerProcess(kind: RegExp): Promise<number> {
    for (;;) {
      const found = descendants(this.#pipeline.consumer.pid).find(({ command }) => kind.test(command));
      if (found) return found.pid;
      await Promise.race([this.#pipeline.died, wait(LOOK_EVERY_MS)]);
    }
  }
}

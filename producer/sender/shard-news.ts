/** What the sender learns of the stream's shards as a whole: their list, and that all of them throttle. */
import type { Logger } from 'pino';
import type { Lanes } from './lanes.ts';
import { News } from './news.ts';
import type { Stream } from './stream.ts';

/** Milliseconds between questions for the stream's shards, and after one that was refused. */
const INTERVAL_MS = 10_000;
const REFUSED_MS = 60_000;
/** Milliseconds of throttling of all lanes after which the log says so. */
const THROTTLED_NEWS_MS = 10_000;

export interface ShardNewsDependencies {
  readonly stream: Pick<Stream, 'listShards'>;
  readonly lanes: Lanes;
  readonly log: Logger;
}

export class ShardNews {
  readonly #dependencies: ShardNewsDependencies;
  readonly #throttling = new News<'all'>();
  readonly #listing = new News<'refused'>();
  #askAt = Number.NEGATIVE_INFINITY;

  constructor(dependencies: ShardNewsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Writes a log line when every lane has been throttled for long, and one when that is over.
   *
   * @param now milliseconds of a monotonic clock
   */
  notice(now: number): void {
    const { lanes, log } = this.#dependencies;
    const all = lanes.active.every(
      ({ throttledSince }) => throttledSince !== null && now - throttledSince >= THROTTLED_NEWS_MS,
    );
    const shards = lanes.active.map(({ shard }) => shard);
    if (!all) {
      if (this.#throttling.over().length > 0) log.info({ shards }, 'the stream keeps up');
    } else if (this.#throttling.worthTelling('all', now)) {
      log.warn({ shards }, 'every shard in use throttles: more comes in than the stream takes');
    }
  }

  /** Lists the shards for new lanes to choose from, unless that was done of late. */
  async ask(now: number): Promise<void> {
    if (now < this.#askAt) return;
    this.#askAt = now + INTERVAL_MS;
    const { lanes, stream, log } = this.#dependencies;
    try {
      const shards = await stream.listShards();
      lanes.setShards(shards);
      this.#listing.over();
      log.debug({ shards: shards.length }, 'the shards of the stream were listed');
    } catch (error) {
      this.#askAt = performance.now() + REFUSED_MS;
      if (!this.#listing.worthTelling('refused', now)) return;
      log.warn(
        { err: error },
        "the stream's shards cannot be listed (kinesis:ListShards): new lanes are placed by chance",
      );
    }
  }
}

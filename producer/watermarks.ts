/**
 * When an agent says how far it has read, and on which lanes: by chunks without events that follow all chunks of their
 * lane. From them and the commits alone anybody can tell that an hour is complete, even when nothing happened in it.
 *
 * Every lane that got a chunk since the last time gets one, an idle agent's next lane otherwise: about 150 bytes, which
 * travel in a record with other chunks of the lane where there are any.
 */
export class Watermarks {
  /** The lanes that got a chunk since the last watermark. */
  readonly #lanes = new Set<string>();
  #last: number;

  /** @param uptime the caller's monotonic clock, milliseconds */
  constructor(uptime: number) {
    this.#last = uptime;
  }

  /** A chunk was sealed on this lane. */
  sealed(lane: string): void {
    this.#lanes.add(lane);
  }

  /**
   * The lanes on which a watermark is due; none before the interval has passed.
   *
   * @param next the lane for an agent that has sealed nothing
   */
  due(uptime: number, interval: number, next: () => string): readonly string[] {
    if (uptime - this.#last < interval) return [];
    this.#last = uptime;
    const lanes = this.#lanes.size > 0 ? [...this.#lanes] : [next()];
    this.#lanes.clear();
    return lanes;
  }
}

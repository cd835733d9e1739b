/** The lanes as status shows them: those that new chunks go to, and those that still have some to send. */
import type { LaneQueue } from './lane-queue.ts';
import type { Lanes } from './lanes.ts';

/** A lane with what waits in it. */
export interface LaneStatus {
  readonly lane: string;
  readonly shard: string | null;
  /** Whether new chunks may go to it. */
  readonly active: boolean;
  readonly chunks: number;
  readonly bytes: number;
  readonly throttled_ms: number;
}

/** @param now milliseconds of a monotonic clock */
export function laneStatus(
  active: Lanes['active'],
  queues: ReadonlyMap<string, LaneQueue>,
  now: number,
): LaneStatus[] {
  const known = new Set(active.map(({ lane }) => lane));
  const others = [...queues.values()].filter(({ lane }) => !known.has(lane));
  return [
    ...active.map(({ lane, shard, throttledSince }) => ({
      lane,
      shard,
      active: true,
      ...waitingIn(queues.get(lane)),
      throttled_ms: throttledSince === null ? 0 : Math.round(now - throttledSince),
    })),
    ...others.map((queue) => ({
      lane: queue.lane,
      shard: null,
      active: false,
      ...waitingIn(queue),
      throttled_ms: 0,
    })),
  ];
}

function waitingIn(queue: LaneQueue | undefined): Pick<LaneStatus, 'chunks' | 'bytes'> {
  return queue ? { chunks: queue.waiting + queue.inFlight, bytes: queue.backlog } : { chunks: 0, bytes: 0 };
}

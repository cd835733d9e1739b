/** How the page writes times, rates and names. */
import { age, bytes, count } from '../../../base/human.ts';
import type { Rate } from '../api.ts';

const HOUR_MS = 3_600_000;

/** `14:03:07`, UTC. */
export function time(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** `11-28 14:03:07`, UTC. */
export function dateTime(ms: number): string {
  return new Date(ms).toISOString().slice(5, 19).replace('T', ' ');
}

/** Of whole hours since 1970: `2026-11-28 14:00`. */
export function hourText(hour: number): string {
  return new Date(hour * HOUR_MS).toISOString().slice(0, 16).replace('T', ' ');
}

export function ago(then: number | null, now: number): string {
  return then === null ? '–' : `${age(Math.max(0, now - then))} ago`;
}

/** A number for a narrow place: `950`, `12.4 k`, `3.1 M`. */
export function short(value: number): string {
  if (value < 10 && value > 0 && !Number.isInteger(value)) return value.toFixed(1);
  if (value < 10_000) return count(Math.round(value));
  const [size, unit] =
    value < 1e6 ? [value / 1e3, 'k'] : value < 1e9 ? [value / 1e6, 'M'] : [value / 1e9, 'G'];
  return `${size < 100 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

export function perSecond(rate: Rate | null): string {
  return rate === null ? '–' : `${short(rate.events)}/s`;
}

export function bytesPerSecond(value: number | null): string {
  return value === null ? '–' : `${bytes(Math.round(value))}/s`;
}

/** `shardId-000000000003` as `shard 3`. */
export function shardName(shard: string): string {
  const number = /^shardId-0*(\d+)$/.exec(shard)?.[1];
  return number === undefined ? shard : `shard ${number}`;
}

/** Enough of a producer's id to tell it from others. */
export function producerName(host: string | null, producer: string): string {
  return host ?? producer.slice(0, 12);
}

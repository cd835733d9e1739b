/** How `tailrace shards` shows a stream: a row and a bar for each open shard, and what a change would mean. */
import { age, bytes, count, plain } from '../base/human.ts';
import { type OpenShard, shareOf } from '../functions/scale/layout.ts';
import { CHANGES_PER_DAY, monthlyCost, SHARD_BYTES, SHARD_RECORDS } from '../functions/scale/rules.ts';

/** What one shard took a second on average. */
export interface ShardRate {
  readonly bytes: number;
  readonly records: number;
  /** Null where it is not known. */
  readonly refused: number | null;
}

export interface StreamView {
  readonly stream: string;
  readonly mode: string;
  readonly status: string;
  readonly retentionHours: number;
  readonly open: readonly OpenShard[];
  /** Shards that take no records any more, and keep what they have until it expires. */
  readonly closed: readonly string[];
  /** By shard, where it is known. */
  readonly rates: ReadonlyMap<string, ShardRate>;
  /** What the rates come from, or why there are none. */
  readonly source: string;
  /** Milliseconds; null when nobody reads, or CloudWatch cannot be asked. */
  readonly lag: number | null;
  /** The same by shard, where it is known; closed ones that are still being read are among them. */
  readonly lags: ReadonlyMap<string, number>;
  /** Milliseconds for which each shard has been open, where it is known; at most the retention. */
  readonly ages: ReadonlyMap<string, number>;
  /** Null when that is not known. */
  readonly changesUsed: number | null;
}

const BAR = 20;

export function viewText(view: StreamView): string {
  const { stream, mode, status, open, closed, retentionHours } = view;
  const lines = [
    `stream ${plain(stream)}: ${mode}, ${status}, ${count(open.length)} open shards, ${count(closed.length)} closed within the retention of ${retentionHours} h`,
    '',
    ...table([
      ['shard', 'hash space', 'bytes/s', 'records/s', 'refused/s', 'lag', 'age', 'use', ''],
      ...open.map((shard) => rowOf(shard, view)),
    ]),
    '',
    `rates: ${plain(view.source)}`,
    view.lag === null ? 'consumer lag: unknown' : `consumer lag: ${age(view.lag)}`,
    ...drained(view),
    evenness(open),
  ];
  if (mode === 'PROVISIONED') {
    lines.push(
      changesText(view.changesUsed),
      `cost: $${Math.round(monthlyCost(open.length, retentionHours))} a month; one shard more or less is $${monthlyCost(1, retentionHours).toFixed(2)} (list price of us-east-1)`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The part of a shard's capacity that is used, 0 to 1 or more. */
function useOf({ bytes: size, records, refused }: ShardRate): number {
  return Math.max(size / SHARD_BYTES, (records + (refused ?? 0)) / SHARD_RECORDS);
}

function rowOf(shard: OpenShard, { rates, lags, ages, retentionHours }: StreamView): string[] {
  const share = `${(100 * shareOf(shard)).toFixed(2)} %`;
  const rate = rates.get(shard.id);
  const lag = lags.get(shard.id);
  const open = ages.get(shard.id);
  const times = [
    lag === undefined ? '?' : age(lag),
    open === undefined ? '?' : `${open >= retentionHours * 3_600_000 ? '≥ ' : ''}${age(open)}`,
  ];
  if (!rate) return [plain(shard.id), share, '?', '?', '?', ...times, '?', ''];
  const use = useOf(rate);
  const filled = Math.min(BAR, Math.round(use * BAR));
  return [
    plain(shard.id),
    share,
    bytes(Math.round(rate.bytes)),
    count(Math.round(rate.records)),
    rate.refused === null ? '?' : count(Math.round(rate.refused)),
    ...times,
    `${Math.round(use * 100)} %`,
    '█'.repeat(filled) + '·'.repeat(BAR - filled),
  ];
}

/** Closed shards that a consumer has not read to their end. */
function drained({ closed, lags }: StreamView): string[] {
  const read = closed.filter((shard) => lags.has(shard));
  if (read.length === 0) return [];
  const shards = read.map((shard) => `${plain(shard)} (lag ${age(lags.get(shard)!)})`);
  return [`closed shards still being read: ${shards.join(', ')}`];
}

function evenness(open: readonly OpenShard[]): string {
  const shares = open.map(shareOf);
  const most = Math.max(...shares) * open.length;
  if (most < 1.01) return `layout: even, ${(100 / open.length).toFixed(2)} % each`;
  return `layout: uneven, the largest shard is ${most.toFixed(1)} times an even one (${(100 / open.length).toFixed(2)} %); tailrace shards even`;
}

/** Columns as wide as their widest cell; the first and the last to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) =>
        i === 0 || i === row.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

function changesText(used: number | null): string {
  if (used === null)
    return 'changes left in 24 hours: not known, because the tags of the stream may not be read';
  return `changes left in 24 hours: ${Math.max(0, CHANGES_PER_DAY - used)} of ${CHANGES_PER_DAY} (those made with tailrace are counted)`;
}

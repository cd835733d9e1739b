/** How `tailrace shards` shows a stream: a row and a bar for each open shard, and what a change would mean. */
import { age, bytes, count, plain } from '../base/human.ts';
import { type OpenShard, shareOf } from '../functions/scale/layout.ts';
import { CHANGES_PER_DAY, monthlyCost, SHARD_BYTES, SHARD_RECORDS } from '../functions/scale/rules.ts';
import type { Rate } from '../functions/scale/traffic.ts';

export interface StreamView {
  readonly stream: string;
  readonly mode: string;
  readonly status: string;
  readonly retentionHours: number;
  readonly open: readonly OpenShard[];
  /** Shards that take no records any more, and keep what they have until it expires. */
  readonly closed: number;
  /** By shard, where it is known. */
  readonly rates: ReadonlyMap<string, Rate>;
  /** What the rates come from, or why there are none. */
  readonly source: string;
  /** Milliseconds; null when nobody reads, or CloudWatch cannot be asked. */
  readonly lag: number | null;
  readonly changesUsed: number;
}

const BAR = 20;

export function viewText(view: StreamView): string {
  const { stream, mode, status, open, closed, retentionHours } = view;
  const lines = [
    `stream ${plain(stream)}: ${mode}, ${status}, ${count(open.length)} open shards, ${count(closed)} closed within the retention of ${retentionHours} h`,
    '',
    ...table([
      ['shard', 'hash space', 'bytes/s', 'records/s', 'refused/s', 'use', ''],
      ...open.map((shard) => rowOf(shard, view.rates.get(shard.id))),
    ]),
    '',
    `rates: ${plain(view.source)}`,
    view.lag === null ? 'consumer lag: unknown' : `consumer lag: ${age(view.lag)}`,
    evenness(open),
  ];
  if (mode === 'PROVISIONED') {
    lines.push(
      `changes left in 24 hours: ${CHANGES_PER_DAY - view.changesUsed} of ${CHANGES_PER_DAY} (those made with tailrace are counted)`,
      `cost: $${Math.round(monthlyCost(open.length, retentionHours))} a month; one shard more or less is $${monthlyCost(1, retentionHours).toFixed(2)} (list price of us-east-1)`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The part of a shard's capacity that is used, 0 to 1 or more. */
function useOf({ bytes: size, records, refused }: Rate): number {
  return Math.max(size / SHARD_BYTES, (records + refused) / SHARD_RECORDS);
}

function rowOf(shard: OpenShard, rate: Rate | undefined): string[] {
  const share = `${(100 * shareOf(shard)).toFixed(2)} %`;
  if (!rate) return [plain(shard.id), share, '?', '?', '?', '?', ''];
  const use = useOf(rate);
  const filled = Math.min(BAR, Math.round(use * BAR));
  return [
    plain(shard.id),
    share,
    bytes(Math.round(rate.bytes)),
    count(Math.round(rate.records)),
    count(Math.round(rate.refused)),
    `${Math.round(use * 100)} %`,
    '█'.repeat(filled) + '·'.repeat(BAR - filled),
  ];
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

/** Bills as text: a table of totals, the lines of tailrace's cheapest, and a plain word on what to take. */
import {
  type Bill,
  billsOf,
  cheaperFrom,
  firehoseBill,
  functionBill,
  type Load,
  workerBill,
} from './model.ts';
import type { Prices } from './prices.ts';

/** GB a day: beyond it nobody runs this on one worker. */
const MOST_GB = 2000;

export function dollars(usd: number): string {
  return usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

export function costText(load: Load, prices: Prices): string {
  const bills = billsOf(load, prices);
  const width = Math.max(...bills.map(({ name }) => name.length));
  const totals = bills.map(({ name, usd }) => `  ${name.padEnd(width)}  ${dollars(usd).padStart(10)}`);
  const best = cheapestOf(bills.slice(0, 4));
  const whatWidth = Math.max(...best.lines.map(({ what }) => what.length));
  const lines = best.lines.map(
    ({ what, how, usd }) => `  ${what.padEnd(whatWidth)}  ${dollars(usd).padStart(10)}  ${how}`,
  );
  return [
    `${load.gbPerDay} GB of raw logs a day, ${load.servers} servers, ${load.tags} tags; US dollars a month:`,
    '',
    ...totals,
    '',
    `tailrace with its cheapest archiver here (${best.name}):`,
    '',
    ...lines,
    '',
    ...advice(load, prices),
    '',
  ].join('\n');
}

/** What to take, in a few sentences. */
export function advice(load: Load, prices: Prices): string[] {
  const tailrace = cheapestOf(billsOf(load, prices).slice(0, 4));
  const firehose = firehoseBill(load, prices);
  const beatsFirehose = cheaperFrom(
    (at) => cheapestOf(billsOf(at, prices).slice(0, 4)),
    (at) => firehoseBill(at, prices),
    load,
    MOST_GB,
  );
  const workerFrom = cheaperFrom(
    (at) => workerBill(at, prices, 'provisioned'),
    (at) => functionBill(at, prices, 'provisioned'),
    load,
    MOST_GB,
  );
  return [
    tailrace.usd < firehose.usd
      ? `tailrace is the cheaper one: Firehose costs ${dollars(firehose.usd - tailrace.usd)} more, and more per further GB.`
      : `Firehose is the cheaper one, by ${dollars(tailrace.usd - firehose.usd)}: take it where events may be lost or repeated.`,
    beatsFirehose === null
      ? `Firehose stays the cheaper one up to ${MOST_GB} GB a day.`
      : `From ${beatsFirehose} GB a day on, tailrace costs less than Firehose.`,
    workerFrom === null
      ? `Up to ${MOST_GB} GB a day the function is the cheaper archiver.`
      : `From ${workerFrom} GB a day on, the worker is the cheaper archiver.`,
    'Agents that upload to S3 by themselves cost least, and lose what is on an instance when it goes.',
  ];
}

function cheapestOf(bills: readonly Bill[]): Bill {
  return bills.reduce((best, bill) => (bill.usd < best.usd ? bill : best));
}

/** Bills as text: a table of totals, the lines of tailrace's cheapest, and plain advice. */
import {
  type Bill,
  billsOf,
  cheaperFrom,
  firehoseBill,
  functionBill,
  type Load,
  serversLine,
  tailraceBills,
  workerBill,
} from './model.ts';
import type { Prices } from './prices.ts';

/** GB a day: more than one worker of these sizes would archive. */
const MOST_GB = 2000;

export function dollars(usd: number): string {
  return usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

export function costText(load: Load, prices: Prices): string {
  const bills = billsOf(load, prices);
  const width = Math.max(...bills.map(({ name }) => name.length));
  const totals = bills.map(({ name, usd }) => `  ${name.padEnd(width)}  ${dollars(usd).padStart(10)}`);
  const best = cheapestOf(tailraceBills(load, prices));
  const whatWidth = Math.max(...best.lines.map(({ what }) => what.length));
  const lines = best.lines.map(
    ({ what, how, usd }) => `  ${what.padEnd(whatWidth)}  ${dollars(usd).padStart(10)}  ${how}`,
  );
  const servers = serversLine(load, prices);
  return [
    `${load.gbPerDay} GB of raw logs a day, ${load.servers} servers, ${load.tags} tags; US dollars a month:`,
    '',
    ...totals,
    '',
    `tailrace with its cheapest archiver here (${best.name}):`,
    '',
    ...lines,
    '',
    `Added to tailrace with any archiver where its stack makes the web servers, and not where it is attached to a group:`,
    '',
    `  ${servers.what.padEnd(whatWidth)}  ${dollars(servers.usd).padStart(10)}  ${servers.how}`,
    '',
    ...advice(load, prices),
    '',
  ].join('\n');
}

/** What to choose, in a few sentences. */
export function advice(load: Load, prices: Prices): string[] {
  const tailrace = cheapestOf(tailraceBills(load, prices));
  const firehose = firehoseBill(load, prices);
  const beatsFirehose = cheaperFrom(
    (at) => cheapestOf(tailraceBills(at, prices)),
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
      ? `tailrace costs $${dollars(firehose.usd - tailrace.usd)} less than Firehose here.`
      : `Firehose costs $${dollars(tailrace.usd - firehose.usd)} less here: choose it if losing or repeating events is acceptable.`,
    beatsFirehose === null
      ? `Firehose stays cheaper up to ${MOST_GB.toLocaleString('en-US')} GB a day.`
      : `From ${beatsFirehose} GB a day up, tailrace costs less than Firehose.`,
    workerFrom === null
      ? `Up to ${MOST_GB.toLocaleString('en-US')} GB a day, the function is the cheaper archiver.`
      : `From ${workerFrom} GB a day up, the worker is the cheaper archiver.`,
    'Agents that upload to S3 themselves cost least; what is still on an instance is gone when it terminates.',
  ];
}

function cheapestOf(bills: readonly Bill[]): Bill {
  return bills.reduce((best, bill) => (bill.usd < best.usd ? bill : best));
}

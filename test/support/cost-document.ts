/** docs/cost.md from the arithmetic of `tailrace cost`: `npm run docs` writes it, a test compares it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bill, billsOf, functionBill, type Load, serversLine } from '../../cli/cost/model.ts';
import { readPrices } from '../../cli/cost/prices.ts';
import { advice, dollars } from '../../cli/cost/report.ts';

export const COST_FILE = join(import.meta.dirname, '../../docs/cost.md');
export const README_FILE = join(import.meta.dirname, '../../README.md');
const VOLUMES = [1, 10, 50, 100, 1000];
const REGION = 'us-east-1';

export function costDocument(): string {
  const { date, prices } = readPrices(REGION);
  const load = (gbPerDay: number): Load => ({ gbPerDay, servers: 4, tags: 2 });
  const all = VOLUMES.map((gb) => billsOf(load(gb), prices));
  const heading = VOLUMES.map((gb) => `${gb.toLocaleString('en-US')} GB`).join(' | ');
  const row = (name: string, bills: readonly Bill[]): string =>
    `| ${name} | ${bills.map(({ usd }) => dollars(usd)).join(' | ')} |`;
  const totals = all[0]!.map(({ name }, i) =>
    row(
      name,
      all.map((bills) => bills[i]!),
    ),
  );
  const parts = [10, 50].map((gb) => functionBill(load(gb), prices, 'provisioned'));
  const lines = parts[0]!.lines.map(
    ({ what, how }, i) =>
      `| ${what} | ${how} | ${parts.map((bill) => dollars(bill.lines[i]!.usd)).join(' | ')} |`,
  );
  return `# What it costs

<!-- Generated from cli/cost/ by \`npm run docs\`. -->

\`tailrace cost --gb-per-day N\` prints this for your own volume, servers and tags, with \`--prices FILE\` for your own prices.
The unit prices are **assumptions**: list prices of ${REGION} without free tiers, as of ${date}. A month is 730 hours or 30.4 days.
Assumed: logs compress 8 : 1, the peak is 4 times the mean, 4 servers, 2 tags, a year of objects of which 30 days are at hand.

## US dollars a month, by raw logs a day

| | ${heading} |
|---|${VOLUMES.map(() => '---').join('|')}|
${totals.join('\n')}

- The worker's stack has a network with endpoints of its own and 7 days of retention; the function's has neither, and 24 hours.
- Where the stack makes the web servers (\`npm run deploy\`), each costs ${dollars(serversLine({ ...load(10), servers: 1 }, prices).usd)} more: 7 metrics of its detailed monitoring and two metrics that it sends a minute. That is not in the table; servers of a group that tailrace is attached to have neither.
- Firehose delivers at least once, and an agent in front of it loses what it holds when its instance is terminated.
- At 10 GB a day: ${advice(load(10), prices).join(' ')}

## The function, line by line

| | arithmetic at 10 GB | 10 GB | 50 GB |
|---|---|---|---|
${lines.join('\n')}
| **a month** | | **${dollars(parts[0]!.usd)}** | **${dollars(parts[1]!.usd)}** |

The lines of the worker are in [deploy.md](deploy.md#what-it-costs).
`;
}

/** The rows of README's comparison whose amounts are computed, by what begins them, and their bills. */
const COMPARED: readonly (readonly [string, string])[] = [
  ['**tailrace**, archiver as a function', 'function'],
  ['**tailrace**, archiver on a worker', 'worker'],
  ['Fluent Bit or the Kinesis agent → Firehose → S3', 'Firehose to S3'],
  ['Fluent Bit or Vector → S3 directly', 'agents upload to S3'],
  ['CloudWatch Logs agent', 'CloudWatch Logs'],
];

/** README with the amounts of today's arithmetic in its comparison. */
export function readmeWithAmounts(readme: string): string {
  const { prices } = readPrices(REGION);
  const all = [10, 100, 1000].map((gbPerDay) => billsOf({ gbPerDay, servers: 4, tags: 2 }, prices));
  return COMPARED.reduce((text, [row, bill]) => {
    const amounts = all.map((bills) => dollars(bills.find(({ name }) => name === bill)!.usd)).join(', ');
    const at = text.indexOf(`| ${row} | `);
    if (at === -1) throw new Error(`README has no row ${row}`);
    const from = at + row.length + 5;
    return text.slice(0, from) + amounts + text.slice(text.indexOf(' |', from));
  }, readme);
}

if (import.meta.main) {
  writeFileSync(COST_FILE, costDocument());
  writeFileSync(README_FILE, readmeWithAmounts(readFileSync(README_FILE, 'utf8')));
}

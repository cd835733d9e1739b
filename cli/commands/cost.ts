/** `tailrace cost`: what a month of logs costs, with either archiver and without tailrace. */
import { Command, InvalidArgumentError } from 'commander';
import { billsOf, serversLine } from '../cost/model.ts';
import { readPrices } from '../cost/prices.ts';
import { costText } from '../cost/report.ts';

interface CostOptions {
  readonly gbPerDay: number;
  readonly servers: number;
  readonly tags: number;
  readonly region: string;
  readonly prices?: string;
  readonly json?: boolean;
}

export function command(): Command {
  return new Command('cost')
    .description('Estimate what a month costs: tailrace with each archiver, and the usual alternatives.')
    .requiredOption('--gb-per-day <n>', 'raw logs of all servers, GB (10^9 bytes) a day', positive)
    .option('--servers <n>', 'web servers', whole, 4)
    .option('--tags <n>', 'tags: kinds of logs', whole, 2)
    .option('--region <region>', 'region whose prices are used', 'us-east-1')
    .option('--prices <file>', 'use these unit prices instead; the format is that of cli/cost/prices.json')
    .option('--json', 'print every line of every bill as JSON')
    .addHelpText(
      'after',
      '\nPrices are dated list prices without free tiers; docs/cost.md has the arithmetic.\n' +
        '\nExit codes: 0 printed, 2 bad usage, or no prices for the region.',
    )
    .action(run);
}

function run({ gbPerDay, servers, tags, region, prices: file, json }: CostOptions): void {
  const { date, prices } = readPrices(region, file);
  const load = { gbPerDay, servers, tags };
  const text = json
    ? `${JSON.stringify({ ...load, region, prices: date, bills: billsOf(load, prices), servers_of_the_stack: serversLine(load, prices) })}\n`
    : `${costText(load, prices)}Prices of ${region} as of ${date}.\n`;
  process.stdout.write(text);
}

function whole(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('Expected a whole number above 0.');
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

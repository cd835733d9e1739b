/**
 * The process that is the demo: a web server under a load of its own, its access log, and application events.
 *
 * Its argument is a {@link DemoOptions} as JSON. It tells its parent how it stands, and when it has made all that was
 * asked for; SIGTERM ends it when what is under way is done.
 */
import * as path from 'node:path';
import { listenOnLoopback, stopWithParent, tellReady } from '../service.ts';
import { AccessLog } from './access-log.ts';
import { Ledger, type Numbers, type Route } from './ledger.ts';
import { ShopEvents } from './shop-events.ts';
import { createSite } from './site.ts';
import { Visitors } from './visitors.ts';

export interface DemoOptions {
  /** Where the access log and the ledger are. */
  readonly folder: string;
  /** The agent's forward input. */
  readonly forward: { readonly host: string; readonly port: number };
  /** Events a second, both kinds together. */
  readonly rate: number;
  /** Events that this run makes; null for no end. */
  readonly events: number | null;
}

/** What the demo says of itself a few times a second. */
export interface DemoProgress {
  readonly made: number;
  readonly log: number;
  readonly forward: number;
  readonly unsure: number;
  readonly rotations: number;
  /** All events that were asked for are made. */
  readonly finished: boolean;
}

export const ACCESS_LOG = 'access.log';
/** Every fifth event is an application event. */
const FORWARD_SHARE = 5;
const TICK_MS = 10;
const REPORT_MS = 250;
const SAVE_MS = 1000;
/** Events under way at a time; a slow agent slows the demo down. */
const MOST_UNDER_WAY = 2000;
const ROTATION = { lines: 3000, ageMs: 20_000, keep: 10 };

async function main(options: DemoOptions): Promise<void> {
  const ledger = new Ledger(options.folder);
  const accessLog = new AccessLog(path.join(options.folder, ACCESS_LOG), ROTATION);
  const count = (kind: keyof Numbers, route: Route): number => ledger.made[route][kind].count;
  const before = {
    log: count('made', 'log'),
    forward: count('made', 'forward'),
    unsure: count('unsure', 'log') + count('unsure', 'forward'),
  };
  const site = createSite((access, number) => {
    accessLog.write(access);
    ledger.add('log', number);
  });
  const port = await listenOnLoopback(site, 0);
  const visitors = new Visitors(port);
  const shopEvents = new ShopEvents(options.forward.host, options.forward.port);
  const underWay = new Set<Promise<void>>();

  const progress = (finished: boolean): DemoProgress => {
    const log = count('made', 'log') - before.log;
    const forward = count('made', 'forward') - before.forward;
    const unsure = count('unsure', 'log') + count('unsure', 'forward') - before.unsure;
    return { made: log + forward, log, forward, unsure, rotations: accessLog.rotations, finished };
  };

  const makeOne = (isForward: boolean): void => {
    const making = (isForward ? forwardOne(ledger.take('forward')) : logOne(ledger.take('log'))).finally(() =>
      underWay.delete(making),
    );
    underWay.add(making);
  };
  const logOne = async (number: number): Promise<void> => {
    // A request that got no answer may have been logged all the same, and only then counts.
    while (!ledger.made.log.made.has(number)) await visitors.visit(number).catch(() => pause(TICK_MS));
  };
  const forwardOne = async (number: number): Promise<void> => {
    try {
      await shopEvents.send(number);
      ledger.add('forward', number);
    } catch {
      ledger.doubt('forward', number);
      asked--;
      await pause(REPORT_MS);
    }
  };

  let asked = 0;
  let stopping = false;
  const started = performance.now();
  let paused = 0;
  let turn = 0;
  const running = (async () => {
    while (!stopping) {
      const due = Math.floor(((performance.now() - started - paused) * options.rate) / 1000);
      const wanted = Math.min(due, options.events ?? Number.POSITIVE_INFINITY);
      while (asked < wanted && underWay.size < MOST_UNDER_WAY) {
        asked++;
        makeOne(++turn % FORWARD_SHARE === 0);
      }
      if (options.events !== null && asked >= options.events && underWay.size === 0) return;
      // When the agent holds the demo back, the time is not made up for afterwards in one go.
      if (underWay.size >= MOST_UNDER_WAY) paused += TICK_MS;
      await pause(TICK_MS);
    }
  })();

  const reporting = setInterval(() => process.send?.({ progress: progress(false) }), REPORT_MS);
  const saving = setInterval(() => ledger.save(), SAVE_MS);
  tellReady(port);
  stopWithParent(async () => {
    stopping = true;
    await running;
    await Promise.all(underWay);
    clearInterval(reporting);
    clearInterval(saving);
    ledger.close();
    visitors.close();
    shopEvents.close();
    accessLog.close();
    site.closeAllConnections();
    process.send?.({ progress: progress(options.events !== null) });
  });

  await running;
  if (stopping) return;
  ledger.close();
  clearInterval(saving);
  clearInterval(reporting);
  process.send?.({ progress: progress(true) });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? '{}') as DemoOptions);

/**
 * The demo process: a web server with its own load generator, its access log, and application events.
 *
 * Its argument is a {@link DemoOptions} as JSON. It reports its progress to the parent, and when it has made everything
 * requested; on SIGTERM it finishes what is in progress and exits.
 */
import * as path from 'node:path';
import { listenOnLoopback, stopWithParent, tellReady } from '../service.ts';
import { AccessLog } from './access-log.ts';
import { Ledger, type Numbers, type Route } from './ledger.ts';
import { ShopEvents } from './shop-events.ts';
import { createSite } from './site.ts';
import { Visitors } from './visitors.ts';

export interface DemoOptions {
  /** The folder of the access log and the ledger. */
  readonly folder: string;
  /** The agent's forward input. */
  readonly forward: { readonly host: string; readonly port: number };
  /** Events per second, both kinds together. */
  readonly rate: number;
  /** Events to make in this run; null for no limit. */
  readonly events: number | null;
}

/** What the demo reports a few times per second. */
export interface DemoProgress {
  readonly made: number;
  readonly log: number;
  readonly forward: number;
  readonly unsure: number;
  readonly rotations: number;
  /** All requested events have been made. */
  readonly finished: boolean;
}

export const ACCESS_LOG = 'access.log';
/** Every fifth event is an application event. */
const FORWARD_SHARE = 5;
const TICK_MS = 10;
const REPORT_MS = 250;
const SAVE_MS = 1000;
/** The most events in flight; a slow agent slows the demo down. */
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
    // A request without a response may still have been logged, and counts only if it was.
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
      // When the agent holds the demo back, it does not make up for the lost time in one burst afterwards.
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

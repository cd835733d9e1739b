/**
 * The demo process: a web server with its own load generator, its access log, and application events.
 *
 * Its argument is a {@link DemoOptions} as JSON. It reports its progress to the parent, and when it has made everything
 * requested; on SIGTERM it finishes what is in progress and exits.
 */
import * as path from 'node:path';
import { bytes } from '../../base/human.ts';
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
  /** The last few events, one line each, for people. */
  readonly recent: readonly string[];
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
/** Lines that a tall terminal may show. */
const RECENT = 40;
const ROTATION = { lines: 3000, ageMs: 20_000, keep: 10 };

async function main(options: DemoOptions): Promise<void> {
  const ledger = new Ledger(options.folder);
  const accessLog = new AccessLog(path.join(options.folder, ACCESS_LOG), ROTATION);
  const recent: string[] = [];
  const show = (line: string): void => {
    recent.push(`${new Date().toISOString().slice(11, 19)}  ${line}`);
    if (recent.length > RECENT) recent.shift();
  };
  const site = createSite((access, number) => {
    accessLog.write(access);
    ledger.add('log', number);
    show(
      `${access.method.padEnd(5)}${access.target.slice(0, 39).padEnd(40)}${access.status}  ${bytes(access.bytes)}`,
    );
  });
  const port = await listenOnLoopback(site, 0);
  const visitors = new Visitors(port);
  const shopEvents = new ShopEvents(options.forward.host, options.forward.port);
  const progress = progressOf(ledger, accessLog, recent);
  const events = new EventMaker(options, ledger, visitors, shopEvents, show);
  // The web server writes its log from the start; clients connect once there is an agent.
  process.on('message', (message: { agentIsUp?: true }) => {
    if (!message.agentIsUp) return;
    events.hasAgent = true;
    accessLog.mayRotate = true;
  });

  const reporting = setInterval(() => process.send?.({ progress: progress(false) }), REPORT_MS);
  const saving = setInterval(() => ledger.save(), SAVE_MS);
  const finish = (): void => {
    ledger.close();
    clearInterval(saving);
    clearInterval(reporting);
  };
  const made = events.make();
  tellReady(port);
  stopWithParent(async () => {
    await events.stop();
    finish();
    visitors.close();
    shopEvents.close();
    accessLog.close();
    site.closeAllConnections();
    process.send?.({ progress: progress(options.events !== null) });
  });

  await made;
  if (events.stopping) return;
  finish();
  process.send?.({ progress: progress(true) });
}

/** A function that says what has been made since now. */
function progressOf(
  ledger: Ledger,
  accessLog: AccessLog,
  recent: readonly string[],
): (finished: boolean) => DemoProgress {
  const count = (kind: keyof Numbers, route: Route): number => ledger.made[route][kind].count;
  const counts = (): { log: number; forward: number; unsure: number } => ({
    log: count('made', 'log'),
    forward: count('made', 'forward'),
    unsure: count('unsure', 'log') + count('unsure', 'forward'),
  });
  const before = counts();
  return (finished) => {
    const now = counts();
    const log = now.log - before.log;
    const forward = now.forward - before.forward;
    const unsure = now.unsure - before.unsure;
    const { rotations } = accessLog;
    return { made: log + forward, log, forward, unsure, rotations, recent: [...recent], finished };
  };
}

/** Makes events at the requested rate, with a bounded number in flight. */
class EventMaker {
  readonly #options: DemoOptions;
  readonly #ledger: Ledger;
  readonly #visitors: Visitors;
  readonly #shopEvents: ShopEvents;
  readonly #underWay = new Set<Promise<void>>();
  readonly #show: (line: string) => void;
  #asked = 0;
  #running: Promise<void> = Promise.resolve();
  stopping = false;
  hasAgent = false;

  constructor(
    options: DemoOptions,
    ledger: Ledger,
    visitors: Visitors,
    shopEvents: ShopEvents,
    show: (line: string) => void,
  ) {
    this.#show = show;
    this.#options = options;
    this.#ledger = ledger;
    this.#visitors = visitors;
    this.#shopEvents = shopEvents;
  }

  /** Resolves when everything requested has been made, or after a stop. */
  make(): Promise<void> {
    this.#running = this.#run();
    return this.#running;
  }

  /** Finishes what is in flight. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.#running;
    await Promise.all(this.#underWay);
  }

  async #run(): Promise<void> {
    const { rate, events } = this.#options;
    const started = performance.now();
    let paused = 0;
    for (let turn = 0; !this.stopping; ) {
      const due = Math.floor(((performance.now() - started - paused) * rate) / 1000);
      // Half of a counted run waits for the agent, so that clients have their share of it.
      const most = events === null ? Number.POSITIVE_INFINITY : this.hasAgent ? events : events / 2;
      const wanted = Math.min(due, most);
      while (this.#asked < wanted && this.#underWay.size < MOST_UNDER_WAY) {
        this.#asked++;
        this.#makeOne(++turn % FORWARD_SHARE === 0 && this.hasAgent);
      }
      if (events !== null && this.#asked >= events && this.#underWay.size === 0) return;
      // When the agent holds the demo back, it does not make up for the lost time in one burst afterwards.
      if (this.#underWay.size >= MOST_UNDER_WAY || (due > most && !this.hasAgent)) paused += TICK_MS;
      await pause(TICK_MS);
    }
  }

  #makeOne(isForward: boolean): void {
    const making = (isForward ? this.#forward() : this.#visit()).finally(() => this.#underWay.delete(making));
    this.#underWay.add(making);
  }

  async #visit(): Promise<void> {
    const number = this.#ledger.take('log');
    // A request without a response may still have been logged, and counts only if it was.
    while (!this.#ledger.made.log.made.has(number)) {
      await this.#visitors.visit(number).catch(() => pause(TICK_MS));
    }
  }

  async #forward(): Promise<void> {
    const number = this.#ledger.take('forward');
    try {
      await this.#shopEvents.send(number);
      this.#ledger.add('forward', number);
      this.#show(`fluent-logger: event ${number}, acknowledged by the agent`);
    } catch {
      this.#ledger.doubt('forward', number);
      this.#asked--;
      await pause(REPORT_MS);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? '{}') as DemoOptions);

/** A console over an archive in memory: the real server, with its clock in the test's hands. */
import type { TestContext } from 'node:test';
import { DEFAULT_HOURS_POLICY } from '../../archive/hours/policy.ts';
import type { GroupsView } from '../../cli/console/api.ts';
import { ArchiveWatch } from '../../cli/console/archive-watch.ts';
import { Door } from '../../cli/console/door.ts';
import { Hub } from '../../cli/console/hub.ts';
import type { PageFile } from '../../cli/console/page-files.ts';
import { RequestCount } from '../../cli/console/request-count.ts';
import { type ConsoleParts, ConsoleServer } from '../../cli/console/server.ts';
import type { Source } from '../../cli/console/sources.ts';
import { StatusWatch } from '../../cli/console/status-watch.ts';
import type { MemoryArchive } from './memory-archive.ts';

export interface TestConsole {
  readonly url: string;
  readonly hub: Hub;
  /** Moves the clock. */
  at(now: number): void;
}

export interface TestConsoleOptions {
  readonly archive: MemoryArchive;
  readonly now: number;
  readonly sources?: readonly Source[];
  readonly token?: string;
  readonly answerers?: ConsoleParts['answerers'];
  readonly page?: ReadonlyMap<string, PageFile>;
  readonly mostCommits?: number;
  readonly groups?: GroupsView | null;
  /** Milliseconds of hours that are shown. */
  readonly span?: number;
}

export async function startConsole(t: TestContext, options: TestConsoleOptions): Promise<TestConsole> {
  let { now } = options;
  const { archive, sources = [], token = null, answerers = {}, page = new Map(), mostCommits } = options;
  const { groups = null, span = 6 * 3_600_000 } = options;
  const hub = new Hub({
    place: 'memory',
    archive: new ArchiveWatch({
      ...{ store: archive, prefix: '', span, isLocal: true },
      policy: (at) => ({ ...DEFAULT_HOURS_POLICY, now: at, isGone: () => false }),
      ...(mostCommits === undefined ? {} : { mostCommits }),
    }),
    statuses: new StatusWatch(sources),
    stream: null,
    groups: groups === null ? null : { interval: 60_000, seen: groups, trouble: null, look: async () => {} },
    requests: new RequestCount(),
    now: () => now,
  });
  const server = new ConsoleServer({ hub, page, door: new Door(token), answerers });
  const port = await server.listen('127.0.0.1', 0);
  t.after(() => server.close());
  return {
    url: `http://127.0.0.1:${port}`,
    hub,
    at: (time) => {
      now = time;
    },
  };
}

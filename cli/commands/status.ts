/** `tailrace status`: shows what an agent or a consumer is doing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { plainLines } from '../../base/human.ts';
import { consumerSchema } from '../../consumer/config.ts';
import type { WorkerStatus } from '../../consumer/status/board.ts';
import { ask } from '../../producer/control/protocol.ts';
import { type AgentStatus, agentStatus } from '../../producer/status.ts';
import { describeAgent } from '../agent-status.ts';
import { openArchive } from '../archive-options.ts';
import type { ArchiveStatus } from '../archive-status.ts';
import { configKind, loadConfig } from '../config.ts';
import { askConsumer, describeConsumer } from '../consumer-status.ts';
import { configOption, endpointOption, stateOption } from '../options.ts';
import { stateDirectory } from '../state-directory.ts';

const WATCH_MS = 1000;
/** Cursor to the top left, and erase what is below (ECMA-48 CUP and ED). */
const HOME = '\u001b[H';
const ERASE_BELOW = '\u001b[J';
const CLEAR = '\u001b[2J';

export function command(): Command {
  return new Command('status')
    .description(
      'Show what a running agent has read, sealed, sent and still holds, what a consumer is doing, or what an archive last received.',
    )
    .addOption(stateOption())
    .addOption(configOption('agent.yaml or consumer.yaml: show that agent or consumer').conflicts('state'))
    .addOption(
      new Option('--archive <bucket>', 'show what the archive in this bucket last received').conflicts([
        'state',
        'config',
      ]),
    )
    .option('--prefix <text>', 'with --archive: the prefix of all keys, ending in /')
    .addOption(endpointOption('with --archive: URL of an S3-compatible service'))
    .option('--region <name>', "with --archive: the bucket's region")
    .option('--json', 'print the whole status as JSON')
    .option('-w, --watch', 'refresh every second, with rates, until Ctrl-C')
    .addHelpText('after', '\nExit codes: 0 healthy, 1 degraded or no response, 2 bad usage.')
    .action(run);
}

interface StatusOptions {
  readonly state?: string;
  readonly config?: string;
  readonly archive?: string;
  readonly prefix?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly json?: true;
  readonly watch?: true;
}

/** One of the two programs: how to fetch its status, render it, and judge whether it is healthy. */
interface Subject<T> {
  ask(): Promise<T>;
  describe(status: T, before: T | null): string;
  isWell(status: T): boolean;
}

async function run(options: StatusOptions): Promise<void> {
  const { config, archive: bucket } = options;
  if (bucket !== undefined) {
    const { archiveStatus, describeArchive } = await import('../archive-status.ts');
    const archive = await openArchive({ ...options, bucket });
    const isWell = (status: ArchiveStatus): boolean => status.missing === 0;
    await show({ ask: () => archiveStatus(archive), describe: describeArchive, isWell }, options);
    archive.store.close();
    return;
  }
  if (config === undefined || configKind(config) === 'agent') {
    const state = stateDirectory(options);
    const isWell = (status: AgentStatus): boolean => status.state === 'ready';
    return show({ ask: () => statusOf(state), describe: describeAgent, isWell }, options);
  }
  const { listen } = loadConfig(config, consumerSchema).http;
  const isWell = (status: WorkerStatus): boolean => status.phase === 'running' && status.faults.length === 0;
  return show({ ask: () => askConsumer(listen), describe: describeConsumer, isWell }, options);
}

async function show<T>(subject: Subject<T>, { json, watch }: StatusOptions): Promise<void> {
  if (!watch) {
    const status = await subject.ask();
    process.stdout.write(
      plainLines(json ? `${JSON.stringify(status, null, 2)}\n` : subject.describe(status, null)),
    );
    if (!subject.isWell(status)) process.exitCode = 1;
    return;
  }
  const live = process.stdout.isTTY && !json;
  if (live) process.stdout.write(CLEAR);
  for (let before: T | null = null; ; ) {
    const status = await subject.ask();
    const text = plainLines(json ? `${JSON.stringify(status)}\n` : subject.describe(status, before));
    process.stdout.write(live ? `${HOME}${text.replaceAll('\n', '\u001b[K\n')}${ERASE_BELOW}` : text);
    before = status;
    await sleep(WATCH_MS);
  }
}

async function statusOf(state: string): Promise<AgentStatus> {
  for await (const status of ask(state, { command: 'status' })) {
    if (status['state'] === 'starting') {
      throw new TailraceError(
        'STARTING',
        `the agent with pid ${status['pid']} is still starting; retry in a moment`,
      );
    }
    const result = agentStatus.safeParse(status);
    // With whatever a later release adds.
    if (result.success) return { ...result.data, ...status };
    const where = result.error.issues[0]!.path.join('.');
    throw new TailraceError(
      'STATUS',
      `the agent is of another release (${where}): use its own tailrace command`,
    );
  }
  throw new TailraceError('STATUS', 'the agent closed the connection');
}

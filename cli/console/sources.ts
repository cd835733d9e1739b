/** Where the statuses of agents and consumers come from: their endpoints, their configurations, or files. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { TailraceError } from '../../base/errors.ts';
import { consumerSchema } from '../../consumer/config.ts';
import type { WorkerStatus } from '../../consumer/status/board.ts';
import { ask } from '../../producer/control/protocol.ts';
import { type AgentStatus, agentStatus } from '../../producer/status.ts';
import { configKind, loadConfig } from '../config.ts';
import { askConsumer } from '../consumer-status.ts';
import { stateDirectory } from '../state-directory.ts';

/** What a source says of one program, as of a time. */
export type Answer =
  | { readonly kind: 'agent'; readonly source: string; readonly at: number; readonly agent: AgentStatus }
  | {
      readonly kind: 'consumer';
      readonly source: string;
      readonly at: number;
      readonly worker: WorkerStatus;
    };

export interface Source {
  /** As it was given. */
  readonly name: string;
  /** Whether nobody asked for it: that it does not respond is then not a fault. */
  readonly isGuess?: boolean;
  /** @throws when it does not respond */
  ask(): Promise<Answer[]>;
}

const ANSWER_MS = 5000;
/** A status of a worker with a thousand shards is 600 KB. */
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_FILES = 2000;

/**
 * @param name a URL, agent.yaml or consumer.yaml, an agent's state directory, or what `tailrace status --json` printed:
 *   a file, or a folder of such files
 * @throws TailraceError CONFIG when it is none of them
 */
export function sourceOf(name: string): Source {
  if (/^https?:\/\//i.test(name)) return fromUrl(name);
  const stat = statSync(name, { throwIfNoEntry: false });
  if (!stat) {
    throw new TailraceError(
      'CONFIG',
      `--status ${name}: no such file or folder: give a URL such as http://web-1:24280, a configuration, a state directory, or files of tailrace status --json`,
    );
  }
  if (stat.isDirectory()) return fromDirectory(name);
  if (/\.json$/i.test(name)) return { name, ask: async () => [fromFile(name)] };
  if (configKind(name) === 'consumer') return consumerOf(name);
  return agentIn(stateDirectory({ config: name }), name);
}

/** The consumer that a configuration describes, on this host. */
export function consumerOf(config: string, isGuess = false): Source {
  const { listen } = loadConfig(config, consumerSchema).http;
  return {
    name: config,
    isGuess,
    ask: async () => [
      { kind: 'consumer', source: config, at: Date.now(), worker: await askConsumer(listen) },
    ],
  };
}

function agentIn(state: string, name: string): Source {
  return {
    name,
    ask: async () => {
      for await (const answer of ask(state, { command: 'status' }))
        if (answer['state'] !== 'starting') return [answerOf(answer, name, Date.now())];
      throw new Error('the agent is still starting');
    },
  };
}

function fromDirectory(name: string): Source {
  if (readdirSync(name).some((file) => /\.json$/i.test(file)))
    return {
      name,
      ask: async () =>
        readdirSync(name)
          .filter((file) => /\.json$/i.test(file))
          .slice(0, MOST_FILES)
          .map((file) => fromFile(join(name, file))),
    };
  return agentIn(name, name);
}

function fromFile(path: string): Answer {
  const { mtimeMs, size } = statSync(path);
  if (size > MOST_BYTES) throw new Error(`${basename(path)} is too large for a status`);
  return answerOf(JSON.parse(readFileSync(path, 'utf8')), path, Math.round(mtimeMs));
}

function fromUrl(name: string): Source {
  const url = new URL(name);
  if (url.pathname === '/') url.pathname = '/status';
  return {
    name,
    ask: async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), redirect: 'error' });
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      return [answerOf(await response.json(), name, Date.now())];
    },
  };
}

/** An agent's status and a consumer's differ in their keys. */
function answerOf(json: unknown, source: string, at: number): Answer {
  const status = agentStatus.safeParse(json);
  if (status.success) return { kind: 'agent', source, at, agent: { ...status.data, ...(json as object) } };
  const worker = json as Partial<WorkerStatus> | null;
  if (typeof worker?.worker_id === 'string' && typeof worker.shards === 'object' && worker.totals)
    return { kind: 'consumer', source, at, worker: worker as WorkerStatus };
  throw new Error(`${source}: is not the status of an agent or a consumer of this release`);
}

/** What is wrong, in a line. */
export function faultText(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: unknown } };
  // The system's refusals have a name; what tailrace raises on purpose says it all.
  const code = error instanceof TailraceError ? null : cause?.code;
  return (typeof code === 'string' ? code : String(message)).split('\n', 1)[0]!;
}

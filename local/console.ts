/** The console of a run of `npm start`: `tailrace console` on its archive, its agent and its consumer. */
import * as path from 'node:path';
import { Child } from './child.ts';
import type { Pipeline } from './pipeline.ts';

const CLI = path.join(import.meta.dirname, '..', 'cli', 'tailrace.ts');
const LEASH = path.join(import.meta.dirname, 'leash.ts');
/** It bundles its page; on a busy machine that takes a while. */
const START_MS = 120_000;
const STOP_MS = 3000;

export interface RunningConsole {
  /** Its address, once it is there; null when it is stopped before that. */
  readonly url: Promise<string | null>;
  stop(): Promise<void>;
}

/** The page shows it as it is given. */
function fromHere(folder: string): string {
  const relative = path.relative(process.cwd(), folder);
  return relative.startsWith('..') ? folder : relative;
}

export function startConsole({ paths, stack }: Pipeline, dataDir: string): RunningConsole {
  const child = new Child({
    name: 'the console',
    args: [
      ...['--import', LEASH, CLI, 'console', '--port', '0'],
      ...['--folder', fromHere(path.join(dataDir, 's3', stack.bucket))],
      ...['--status', paths.agentConfig, '--status', paths.consumerConfig],
    ],
    logFile: path.join(paths.logs, 'console.log'),
    env: stack.env,
  });
  let isStopping = false;
  return {
    url: child.ready(START_MS).then(
      (port) => `http://127.0.0.1:${port}/`,
      (error: unknown) => {
        if (isStopping) return null;
        throw error;
      },
    ),
    stop: async () => {
      isStopping = true;
      await child.stop(STOP_MS);
    },
  };
}

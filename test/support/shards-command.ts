/** Runs `tailrace shards` on a stack's stream. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';
import type { Stack } from '../../local/stack.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');

/** @returns its exit code, and all that it printed */
export async function shardsCommand(
  stack: Stack,
  ...args: string[]
): Promise<{ code: number; text: string }> {
  const where = ['--stream', stack.streamName, '--endpoint', stack.kinesisEndpoint];
  const child = spawn(process.execPath, [CLI, 'shards', ...args, ...where], {
    env: { ...process.env, ...stack.env, AWS_ENDPOINT_URL_DYNAMODB: stack.dynamodbEndpoint },
  });
  let text = '';
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (part) => {
      text += part;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, text };
}

/** The embedded stack of one test, in its own folder; both are removed with the test. */
import * as path from 'node:path';
import type { TestContext } from 'node:test';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { kinesisClient } from '../../local/clients.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import { temporaryDirectory } from './agent-process.ts';

export interface TestStack {
  readonly directory: string;
  readonly stack: Stack;
  readonly client: KinesisClient;
}

/** Also sets its credentials in this process's environment. */
export async function startTestStack(t: TestContext, shards: number): Promise<TestStack> {
  const directory = temporaryDirectory(t);
  const stack = await startStack({ dataDir: path.join(directory, 'data'), shards });
  t.after(() => stack.stop());
  Object.assign(process.env, stack.env);
  const client = kinesisClient(stack.kinesisEndpoint);
  t.after(() => client.destroy());
  return { directory, stack, client };
}

/** Runs a command of `tailrace` inside the test's own process: fast, and against whatever the test has put in place. */
import type { TestContext } from 'node:test';
import type { Command } from 'commander';

export interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** @throws what the command throws, for which cli/tailrace.ts would end with one line */
export async function runCommand(t: TestContext, command: Command, ...args: string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  const before = process.exitCode;
  process.exitCode = 0;
  const mocks = (['stdout', 'stderr'] as const).map((name) => {
    const write = process[name].write.bind(process[name]);
    // The test runner itself writes bytes.
    return t.mock.method(process[name], 'write', (part: string | Uint8Array) => {
      if (typeof part !== 'string') return write(part);
      said[name] += part;
      return true;
    });
  });
  try {
    await command.exitOverride().parseAsync(args, { from: 'user' });
    return { ...said, code: Number(process.exitCode) };
  } finally {
    for (const { mock } of mocks) mock.restore();
    process.exitCode = before;
  }
}

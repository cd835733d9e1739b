#!/usr/bin/env node
/** The `tailrace` command: loads the requested subcommand and turns its errors into one line and an exit code. */
import { Command, CommanderError } from 'commander';
import { TailraceError } from '../base/errors.ts';
import { exitCodeOf } from '../base/exit-code.ts';
import { plainLines } from './output.ts';

interface CommandModule {
  command(): Command;
}

/** A module is loaded only when its command is requested: the agent must not carry what `verify` needs. */
const COMMANDS: Readonly<Record<string, { summary: string; load: () => Promise<CommandModule> }>> = {
  agent: { summary: 'run the agent on a web server', load: () => import('./commands/agent.ts') },
  consumer: {
    summary: 'run the consumer that archives the stream',
    load: () => import('./commands/consumer.ts'),
  },
  status: { summary: 'show what an agent is doing', load: () => import('./commands/status.ts') },
  flush: { summary: 'make an agent send everything it holds', load: () => import('./commands/flush.ts') },
  spool: { summary: 'list what an agent holds on disk', load: () => import('./commands/spool.ts') },
  recover: { summary: 'send what a dead agent left behind', load: () => import('./commands/recover.ts') },
  send: {
    summary: 'send events to an agent by the forward protocol',
    load: () => import('./commands/send.ts'),
  },
  cat: { summary: 'print archived events as NDJSON', load: () => import('./commands/cat.ts') },
  ls: { summary: 'list what the archive holds', load: () => import('./commands/ls.ts') },
  verify: {
    summary: 'prove that the archive has every event once',
    load: () => import('./commands/verify.ts'),
  },
  local: {
    summary: 'run Kinesis, DynamoDB and S3 on this machine',
    load: () => import('./commands/local.ts'),
  },
};

/** Exit codes: 0 success, 1 the work failed, 2 bad usage or configuration (or something it names cannot be used); a flush adds 3, something is left. */
async function main(args: readonly string[]): Promise<void> {
  const program = new Command('tailrace')
    .description('Carries web-server logs to an S3 archive through Kinesis: none lost, none repeated.')
    .exitOverride()
    .helpCommand(false);
  const asked = COMMANDS[args[0] ?? ''];
  for (const [name, { summary }] of Object.entries(COMMANDS)) {
    if (name !== args[0]) program.command(name).summary(summary).description(summary);
  }
  if (asked) program.addCommand((await asked.load()).command().exitOverride());
  if (args.length === 0) program.outputHelp({ error: true });
  if (args.length === 0) process.exitCode = 2;
  else await program.parseAsync(args, { from: 'user' });
}

// The reader may have seen enough, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof TailraceError) {
    // Messages quote keys, tags and responses from outside.
    process.stderr.write(`${plainLines(error.message)}\n`);
    process.exitCode = exitCodeOf(error);
  } else {
    throw error;
  }
}

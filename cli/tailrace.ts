#!/usr/bin/env node
/** The `tailrace` command: loads the requested subcommand and turns its errors into one line and an exit code. */
import { Command, CommanderError } from 'commander';
import { TailraceError } from '../base/errors.ts';
import { exitCodeOf } from '../base/exit-code.ts';
import { plainLines } from '../base/human.ts';
import { VERSION } from '../base/version.ts';

interface CommandModule {
  command(): Command;
}

interface Entry {
  readonly summary: string;
  /** A module is loaded only when its command is requested: the agent must not carry what `verify` needs. */
  load(): Promise<CommandModule>;
}

/** The commands by the group under which the help lists them. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  'On a web server:': {
    agent: { summary: 'run the agent', load: () => import('./commands/agent.ts') },
    status: {
      summary: 'show what an agent or a consumer is doing',
      load: () => import('./commands/status.ts'),
    },
    flush: { summary: 'make an agent send everything it holds', load: () => import('./commands/flush.ts') },
    send: {
      summary: 'send events to an agent over the forward protocol',
      load: () => import('./commands/send.ts'),
    },
    spool: { summary: 'list what an agent holds on disk', load: () => import('./commands/spool.ts') },
    recover: { summary: 'send what a dead agent left behind', load: () => import('./commands/recover.ts') },
  },
  'On a worker:': {
    consumer: {
      summary: 'run the consumer that archives the stream',
      load: () => import('./commands/consumer.ts'),
    },
  },
  'The archive:': {
    ls: { summary: 'list what the archive holds', load: () => import('./commands/ls.ts') },
    cat: { summary: 'print archived events as NDJSON', load: () => import('./commands/cat.ts') },
    verify: {
      summary: 'prove that the archive has every event once',
      load: () => import('./commands/verify.ts'),
    },
  },
  'Planning:': {
    cost: { summary: 'estimate what a month costs', load: () => import('./commands/cost.ts') },
  },
  'Development:': {
    local: {
      summary: 'run Kinesis, DynamoDB and S3 on this machine',
      load: () => import('./commands/local.ts'),
    },
  },
};

/** Exit codes: 0 success, 1 the work failed, 2 bad usage or configuration (or something it names cannot be used); a flush adds 3, something is left. */
async function main(args: readonly string[]): Promise<void> {
  // `help COMMAND` is `COMMAND --help`.
  const [first, ...rest] = args;
  if (first === 'help') {
    const isKnown = Object.values(GROUPS).some((commands) => rest[0] !== undefined && rest[0] in commands);
    return main(rest[0] === undefined ? ['--help'] : isKnown ? [rest[0], '--help'] : [rest[0]]);
  }
  const program = new Command('tailrace')
    .description('Carries web-server logs to an S3 archive through Kinesis: none lost, none repeated.')
    .usage('COMMAND [options]')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', '\nRun tailrace help COMMAND for the options and exit codes of a command.')
    .exitOverride()
    .helpCommand(false);
  for (const [group, commands] of Object.entries(GROUPS)) {
    for (const [name, { summary, load }] of Object.entries(commands)) {
      const command = name === first ? (await load()).command().exitOverride() : new Command(name);
      program.addCommand(
        command.summary(summary).helpOption('-h, --help', 'print this help').helpGroup(group),
      );
    }
  }
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
    const { code, message, stack } = error as NodeJS.ErrnoException;
    // The system's refusals explain themselves; anything else is a fault of the program, and its place helps.
    const isRefusal = typeof code === 'string' && /^E[A-Z0-9]+$/.test(code);
    process.stderr.write(
      `${isRefusal ? plainLines(message) : `unexpected error, please report it: ${stack}`}\n`,
    );
    process.exitCode = 1;
  }
}

/** The commands of `tailrace`, by the group under which the help lists them. */
import { Command } from 'commander';
import { TailraceError } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import type { CommandModule } from './command-module.ts';

interface Entry {
  readonly summary: string;
  /** A module is loaded only when its command is requested: the agent must not carry what `verify` needs. */
  load(): Promise<CommandModule>;
}

const GROUPS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  'On a web server:': {
    agent: { summary: 'run the agent', load: () => import('./commands/agent.ts') },
    status: {
      summary: 'show what an agent or a consumer is doing',
      load: () => import('./commands/status.ts'),
    },
    tap: { summary: 'show the events of a running agent', load: () => import('./commands/tap.ts') },
    flush: { summary: 'make an agent send everything it holds', load: () => import('./commands/flush.ts') },
    send: {
      summary: 'send events to an agent over the forward protocol',
      load: () => import('./commands/send.ts'),
    },
    spool: { summary: 'list what an agent holds on disk', load: () => import('./commands/spool.ts') },
    recover: { summary: 'send what a dead agent left behind', load: () => import('./commands/recover.ts') },
  },
  'Configuring:': {
    init: {
      summary: 'write a configuration from what this host has',
      load: () => import('./commands/init.ts'),
    },
    import: {
      summary: 'convert a configuration of fluentd, Fluent Bit or Vector',
      load: () => import('./commands/import.ts'),
    },
    test: {
      summary: 'run recorded lines through a configuration and compare',
      load: () => import('./commands/test.ts'),
    },
  },
  'On a worker:': {
    consumer: {
      summary: 'run the consumer that archives the stream',
      load: () => import('./commands/consumer.ts'),
    },
  },
  'The archive:': {
    console: {
      summary: 'serve a page that shows the pipeline and its archive',
      load: () => import('./commands/console.ts'),
    },
    ls: { summary: 'list what the archive holds', load: () => import('./commands/ls.ts') },
    cat: { summary: 'print archived events as NDJSON', load: () => import('./commands/cat.ts') },
    grep: { summary: 'find archived events, newest first', load: () => import('./commands/grep.ts') },
    query: {
      summary: 'answer a question in SQL about archived events',
      load: () => import('./commands/query.ts'),
    },
    hours: {
      summary: 'show which hours are complete, and what keeps others open',
      load: () => import('./commands/hours.ts'),
    },
    compact: {
      summary: 'make Parquet of the hours that are complete',
      load: () => import('./commands/compact.ts'),
    },
    ddl: {
      summary: 'print the statement that makes the archive a table of Athena, Redshift Spectrum or Spark',
      load: () => import('./commands/ddl.ts'),
    },
    verify: {
      summary: 'prove that the archive has every event once',
      load: () => import('./commands/verify.ts'),
    },
  },
  'The stream:': {
    shards: {
      summary: 'show how the shards of a stream are used, or change them',
      load: () => import('./commands/shards.ts'),
    },
  },
  'Planning:': {
    cost: { summary: 'estimate what a month costs', load: () => import('./commands/cost.ts') },
  },
  'Setting up:': {
    completion: {
      summary: 'print a completion script for a shell',
      load: () => import('./commands/completion.ts'),
    },
    man: { summary: 'print a manual page', load: () => import('./commands/man.ts') },
    schema: {
      summary: 'print the JSON Schema of a configuration',
      load: () => import('./commands/schema.ts'),
    },
  },
  'Development:': {
    local: {
      summary: 'run Kinesis, DynamoDB and S3 on this machine',
      load: () => import('./commands/local.ts'),
    },
  },
};

/** A command with its module loaded; where a package leaves it out, the command says so once it is run. */
async function loaded(name: string, load: Entry['load']): Promise<Command> {
  try {
    return (await load()).command(buildProgram).exitOverride();
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    return new Command(name)
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw error;
      });
  }
}

/** commander reports a missing option before an unknown one, which may be that very option, misspelled. */
function unknownOptionsFirst(command: Command): void {
  for (const each of command.commands) unknownOptionsFirst(each);
  if (command.commands.length > 0) return;
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (args) => {
    const parsed = parse(args);
    const [unknown] = parsed.unknown;
    const asksForHelp = parsed.unknown.some((option) => option === '-h' || option === '--help');
    // Its name for it, with its suggestion, is not among commander's types.
    if (unknown !== undefined && !asksForHelp)
      (command as Command & { unknownOption(flag: string): void }).unknownOption(unknown);
    return parsed;
  };
}

/** The names of all commands. */
export const NAMES: readonly string[] = Object.values(GROUPS).flatMap((commands) => Object.keys(commands));

/** The whole program, with the modules of those commands loaded that `isNeeded` names. */
export async function buildProgram(isNeeded: (name: string) => boolean): Promise<Command> {
  const program = new Command('tailrace')
    .description('Carries web-server logs to an S3 archive through Kinesis: none lost, none repeated.')
    .usage('COMMAND [options]')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', '\nRun tailrace help COMMAND for the options and exit codes of a command.')
    .exitOverride()
    .showHelpAfterError('(tailrace --help lists the commands)')
    .helpCommand(false);
  for (const [group, commands] of Object.entries(GROUPS)) {
    for (const [name, { summary, load }] of Object.entries(commands)) {
      const command = isNeeded(name) ? await loaded(name, load) : new Command(name);
      unknownOptionsFirst(command);
      program.addCommand(
        command
          .summary(summary)
          .helpOption('-h, --help', 'print this help')
          .showHelpAfterError(`(tailrace help ${name} lists its arguments and options)`)
          .helpGroup(group),
      );
    }
  }
  return program;
}

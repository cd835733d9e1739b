/** `tailrace console`: a page on this machine that shows the pipeline and its archive. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Command, InvalidArgumentError, Option } from 'commander';
import { addressText } from '../../base/address.ts';
import { TailraceError } from '../../base/errors.ts';
import { plain } from '../../base/human.ts';
import { whenNpmIsGone } from '../../base/npm-parent.ts';
import {
  type ArchiveOptions,
  locateArchive,
  type OpenArchive,
  withArchiveOptions,
} from '../archive-options.ts';
import { ArchiveWatch } from '../console/archive-watch.ts';
import { GroupsWatch, StreamWatch } from '../console/aws-watch.ts';
import { Door, LEAST_TOKEN } from '../console/door.ts';
import { Hub } from '../console/hub.ts';
import { pageFiles } from '../console/page-files.ts';
import { queryAnswerer } from '../console/query.ts';
import { RequestCount } from '../console/request-count.ts';
import { searchAnswerer } from '../console/search.ts';
import { ConsoleServer } from '../console/server.ts';
import { consumerOf, type Source, sourceOf } from '../console/sources.ts';
import { StatusWatch } from '../console/status-watch.ts';
import { type ClosingOptions, policyOf, withHoursOptions } from '../hours-options.ts';
import { collect, durationOption, sizeArgument } from '../options.ts';

interface ConsoleOptions extends ArchiveOptions, ClosingOptions {
  readonly host: string;
  readonly port: number;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly last: number;
  readonly memory: number;
  readonly cache: number;
  readonly status?: readonly string[];
  readonly stream?: string;
  readonly group?: readonly string[];
}

const PORT = 7410;
/** Each may take the four threads that Node inflates in. */
const MOST_SEARCHES = 2;
const MOST_SPAN_MS = 31 * 86_400_000;

export function command(): Command {
  const described = new Command('console')
    .description(
      'Serve a page that shows the way from agents over shards to the archive, the hours with what keeps them open, and what is behind. ' +
        'It only reads, and looks only while the page is open. An archive alone is enough; options add what else it shows.',
    )
    .option('--port <n>', 'port; 0 picks a free one', portArgument, PORT)
    .option('--host <address>', 'address to listen on; other than loopback needs a token', '127.0.0.1')
    .option('--token <text>', `require this token, of ${LEAST_TOKEN} characters or more`)
    .option('--token-file <file>', 'the token, from a file: other users see the options of a process')
    .addOption(durationOption('--last <duration>', 'how far back hours are shown, up to 31d', '2d'))
    .option(
      '--status <source>',
      'an agent or a consumer: a URL such as http://web-1:24280, its configuration or state directory on this host, or files of tailrace status --json; may be repeated',
      collect,
    )
    .option('--stream <name>', 'the Kinesis stream: its shards, and their traffic as CloudWatch has it')
    .option(
      '--group <name>',
      'an Auto Scaling group: instances that are ending or retained; may be repeated',
      collect,
    )
    .addOption(
      new Option('--memory <size>', 'memory for DuckDB, which answers queries; more goes to temporary files')
        .argParser(sizeArgument)
        .default(512 * 1024 ** 2, '512MiB'),
    )
    .addOption(
      new Option('--cache <size>', 'most that a query fetches from S3, into temporary files')
        .argParser(sizeArgument)
        .default(2 * 1024 ** 3, '2GiB'),
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 ended by Ctrl-C or SIGTERM, 1 failed, 2 bad usage, the port is in use, or there is no such archive.',
    );
  return withArchiveOptions(withHoursOptions(described)).action(run);
}

function portArgument(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('Expected a port, 0 to 65535.');
  return value;
}

async function run(options: ConsoleOptions): Promise<void> {
  const token = tokenOf(options);
  const { host, last } = options;
  if (token === null && !isLoopback(host))
    throw new TailraceError(
      'CONFIG',
      `--host ${host} lets others reach the archive: add --token-file FILE, or keep 127.0.0.1 and use ssh -L ${options.port}:127.0.0.1:${options.port}`,
    );
  if (last > MOST_SPAN_MS) throw new TailraceError('CONFIG', '--last is at most 31d');
  const sources = sourcesOf(options);
  const stopped = stopSignal();
  const archive = await locateArchive(options);
  const page = await pageFiles();
  const requests = new RequestCount();
  const store = archive.store.withOptions({ onAnswer: () => requests.add(Date.now()) });
  const open = { ...archive, store };
  const watched = watchesOf(options, open, sources);
  const { memory, cache } = options;
  const hub = new Hub({ ...watched, place: placeOf(options), requests, now: Date.now });
  const answerers = {
    '/api/search': { most: MOST_SEARCHES, answer: searchAnswerer(open) },
    '/api/query': { most: 1, answer: queryAnswerer(open, { memory, cache }) },
  };
  const server = new ConsoleServer({ hub, page, door: new Door(token), answerers });
  try {
    const port = await server.listen(host, options.port);
    const url = `http://${addressText({ host, port })}/`;
    process.stdout.write(`${url}\n`);
    if (process.stderr.isTTY) {
      if (token !== null) process.stderr.write('Open it with ?token=TOKEN the first time.\n');
      process.stderr.write('Ctrl-C ends it.\n');
    }
    process.send?.({ ready: true, port });
    await stopped;
  } finally {
    await server.close();
    watched.stream?.close();
    watched.groups?.close();
    archive.store.close();
  }
}

function watchesOf(options: ConsoleOptions, archive: OpenArchive, sources: readonly Source[]) {
  const { last, stream, region, endpoint, group } = options;
  const { store, prefix, folder } = archive;
  return {
    archive: new ArchiveWatch({
      ...{ store, prefix, span: last },
      policy: (now) => policyOf(options, now),
      isLocal: folder !== undefined,
    }),
    statuses: new StatusWatch(sources),
    stream:
      stream === undefined
        ? null
        : new StreamWatch({ stream, ...(region ? { region } : {}), ...(endpoint ? { endpoint } : {}) }),
    groups: group === undefined ? null : new GroupsWatch(group, region),
  };
}

function sourcesOf({ status = [], config }: ConsoleOptions): Source[] {
  const sources = status.map(sourceOf);
  // The consumer may well run elsewhere.
  if (config !== undefined && !status.includes(config)) sources.push(consumerOf(config, true));
  return sources;
}

function placeOf({ folder, bucket, config, prefix = '' }: ConsoleOptions): string {
  if (folder !== undefined) return plain(folder + (prefix === '' ? '' : `/${prefix}`));
  return bucket === undefined ? plain(config ?? '') : `s3://${plain(bucket)}/${plain(prefix)}`;
}

/** @throws TailraceError CONFIG for a token that can be guessed */
function tokenOf({ token, tokenFile }: ConsoleOptions): string | null {
  if (token !== undefined && tokenFile !== undefined)
    throw new TailraceError('CONFIG', 'give --token or --token-file, not both');
  const text = tokenFile === undefined ? token : readToken(tokenFile);
  if (text === undefined) return null;
  if (text.length < LEAST_TOKEN)
    throw new TailraceError(
      'CONFIG',
      `the token has ${text.length} characters, and needs ${LEAST_TOKEN}: make one with openssl rand -hex 16`,
    );
  return text;
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new TailraceError('CONFIG', `--token-file ${file} cannot be read (${code})`, { cause });
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
    process.on('disconnect', () => resolve());
    whenNpmIsGone(resolve);
  });
}

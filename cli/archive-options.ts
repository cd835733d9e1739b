/** The options that locate an archive, shared by every command that reads one. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { COMMITS_FOLDER, DEFAULT_KEY_TEMPLATE } from '../archive/commit-keys.ts';
import { S3Store } from '../archive/s3.ts';
import { TailraceError } from '../base/errors.ts';
import { consumerSchema } from '../consumer/config.ts';
import { loadConfig } from './config.ts';
import { configOption, endpointOption } from './options.ts';

/** Where npm start leaves its archive. */
const LOCAL_ARCHIVE = 'data/s3/logs';

export interface ArchiveOptions {
  readonly config?: string;
  readonly bucket?: string;
  readonly prefix?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly folder?: string;
}

export interface OpenArchive {
  readonly store: S3Store;
  readonly prefix: string;
  /** How keys are made, by the consumer's configuration or by default. */
  readonly keyTemplate: string;
  /** The folder that the archive is, when it is one. */
  readonly folder?: string;
  /** The bucket, when it is not a folder. */
  readonly bucket?: string;
  /** The consumer's dedupe_horizon in ms, when its configuration was given. */
  readonly horizon?: number | undefined;
}

const TRIES = 5;

export function withArchiveOptions(command: Command): Command {
  return command
    .addOption(configOption('consumer.yaml of the consumer that writes the archive').conflicts('bucket'))
    .option('--bucket <name>', 'the bucket, instead of --config')
    .addOption(
      new Option(
        '--folder <dir>',
        'an archive on this machine: data/s3/logs of npm start, or a copy by aws s3 sync',
      ).conflicts(['config', 'bucket', 'endpoint', 'region']),
    )
    .option('--prefix <text>', 'the prefix of all keys, ending in /')
    .addOption(endpointOption('URL of an S3-compatible service'))
    .option('--region <name>', "the bucket's region (default: AWS_REGION, else us-east-1)");
}

/**
 * @param isWritten whether the command adds objects to it
 * @throws TailraceError CONFIG when neither a configuration nor a bucket nor a folder is named; NO_ARCHIVE when there is
 *   no archive
 */
export async function openArchive(options: ArchiveOptions, isWritten = false): Promise<OpenArchive> {
  const archive = await locateArchive(options, isWritten);
  const commits = archive.prefix + COMMITS_FOLDER;
  if ((await archive.store.first(commits)) !== null) return archive;
  archive.store.close();
  const place = options.folder ?? options.bucket ?? options.config;
  throw new TailraceError(
    'NO_ARCHIVE',
    `${place}: nothing is archived under ${commits}: check the bucket, prefix or folder, or wait for the first batch`,
  );
}

/**
 * An archive that may have nothing in it yet.
 *
 * @throws TailraceError CONFIG, or NO_ARCHIVE when there is no such folder
 */
export async function locateArchive(options: ArchiveOptions, isWritten = false): Promise<OpenArchive> {
  if (options.folder !== undefined) {
    const { openFolder } = await import('./archive-folder.ts');
    return {
      store: await openFolder(options.folder, isWritten),
      folder: resolve(options.folder),
      prefix: options.prefix ?? '',
      keyTemplate: DEFAULT_KEY_TEMPLATE,
    };
  }
  const archive = archiveOf(options);
  const fromEnvironment = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  const region = options.region ?? archive.region ?? fromEnvironment ?? 'us-east-1';
  const location = { bucket: archive.bucket, region, endpoint: options.endpoint ?? archive.endpoint };
  const store = new S3Store(location, { tries: TRIES });
  const { key_template: keyTemplate = DEFAULT_KEY_TEMPLATE, horizon } = archive;
  const { bucket } = location;
  return { store, bucket, prefix: options.prefix ?? archive.prefix, keyTemplate, horizon };
}

function archiveOf(options: ArchiveOptions): {
  bucket: string;
  prefix: string;
  region?: string | undefined;
  endpoint?: string | undefined;
  key_template?: string;
  horizon?: number;
} {
  if (options.config !== undefined) {
    const { archive, stream, dedupe_horizon: horizon } = loadConfig(options.config, consumerSchema);
    return { ...archive, region: archive.region ?? stream.region, horizon };
  }
  if (options.bucket !== undefined) return { bucket: options.bucket, prefix: '' };
  const left = existsSync(LOCAL_ARCHIVE) ? `, such as --folder ${LOCAL_ARCHIVE} here` : '';
  throw new TailraceError(
    'CONFIG',
    `name the archive with --config consumer.yaml, --bucket NAME or --folder DIR${left}`,
  );
}

/**
 * The programs of the peers' table: our agent as the package for servers starts it, from this tree or another one, and
 * Fluent Bit with its Kinesis output.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import type { Work } from './peers-rows.ts';

const ROOT = join(import.meta.dirname, '..');
const TLS = join(ROOT, 'test', 'support', 'tls');
/** A certificate for 127.0.0.1, and the authority that both programs trust for it. */
export const SERVER_TLS = [join(TLS, 'server.key'), join(TLS, 'server.pem')];
export const SERVER_AUTHORITY = join(TLS, 'ca.pem');

export interface Setup {
  readonly directory: string;
  readonly work: Work;
  readonly codec: 'zstd' | 'gzip';
  /** Of the stream. */
  readonly port: number;
  /** The logs to follow, or the port to listen on. */
  readonly logs: readonly string[];
  readonly listen: number;
  /** Our agent's inputs where they are others than those of the work. */
  readonly inputs?: readonly object[];
}

export interface Program {
  readonly name: string;
  readonly version: string;
  start(setup: Setup): ChildProcess;
}

const ENV = {
  ...process.env,
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
  AWS_EC2_METADATA_DISABLED: 'true',
  NODE_EXTRA_CA_CERTS: SERVER_AUTHORITY,
};

/**
 * Our agent: bundled, with the flags of the package's launcher.
 *
 * @param root the tree that it is built from
 * @param more further flags of Node
 */
export async function ownAgent(
  name: string,
  directory: string,
  root = ROOT,
  more: readonly string[] = [],
): Promise<Program> {
  const { bundlePrograms } = (await import(pathToFileURL(join(root, 'infra', 'package.ts')).href)) as {
    bundlePrograms: (of: 'agent', outdir: string) => Promise<string>;
  };
  const all = await bundlePrograms('agent', join(directory, name));
  const quick = join(dirname(all), 'agent', basename(all));
  const program = existsSync(quick) ? quick : all;
  const launcher = readFileSync(join(root, 'infra', 'systemd', 'tailrace.sh'), 'utf8');
  const flags = /^exec "\$node" (.*) "\$(?:home|lib)/m.exec(launcher)![1]!.split(' ').concat(more);
  // As the systemd unit does.
  const env = { ...ENV, NODE_COMPILE_CACHE: join(directory, `${name}-cache`) };
  const profile = process.env['PROFILE'];
  if (profile !== undefined) flags.push('--cpu-prof', `--cpu-prof-dir=${join(profile, name)}`);
  return {
    name,
    version: process.version,
    start: (setup) => {
      const { directory: home, codec, port } = setup;
      const config = join(home, 'agent.yaml');
      writeFileSync(
        config,
        stringify({
          state_dir: join(home, 'state'),
          stream: { name: 'bench', region: 'us-east-1', endpoint: `https://127.0.0.1:${port}` },
          compression: codec,
          inputs: setup.inputs ?? [inputOf(setup)],
          log_level: 'warn',
        }),
      );
      return spawn(process.execPath, [...flags, program, 'agent', '--config', config], {
        env,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    },
  };
}

function inputOf({ work, logs, listen }: Setup): object {
  if (work === 'forward') return { type: 'forward', listen: `127.0.0.1:${listen}` };
  const format = work === 'parsed' ? 'nginx' : 'none';
  return { type: 'tail', path: logs, tag: 'bench', format, refresh_interval: '100ms' };
}

/** Fluent Bit, if there is one; it buffers in memory, as is its default, and makes nothing durable. */
export function fluentBit(program = process.env['FLUENT_BIT'] ?? 'fluent-bit'): Program | null {
  const asked = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (asked.status !== 0) return null;
  return {
    name: 'Fluent Bit',
    version: /v([\d.]+)/.exec(asked.stdout)?.[1] ?? asked.stdout.trim(),
    start: (setup) => {
      const config = join(setup.directory, 'fluent-bit.conf');
      writeFileSync(join(setup.directory, 'parsers.conf'), PARSERS);
      writeFileSync(config, configuration(setup));
      // Its banner goes to stderr, whatever the level.
      return spawn(program, ['-c', config], { env: ENV, stdio: 'ignore' });
    },
  };
}

/** Ends a program and waits until it is gone. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

export function makeFolder(...parts: readonly string[]): string {
  const folder = join(...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** As in Fluent Bit's own parsers.conf. */
const PARSERS = `[PARSER]
    Name nginx
    Format regex
    Regex ^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) \\[(?<time>[^\\]]*)\\] "(?<method>\\S+)(?: +(?<path>[^\\"]*?)(?: +\\S*)?)?" (?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>[^\\"]*)" "(?<agent>[^\\"]*)")
    Time_Key time
    Time_Format %d/%b/%Y:%H:%M:%S %z
`;

/** With the time in each event where ours has it: not in raw lines, which hold it themselves. */
function configuration({ work, codec, port, logs, listen }: Setup): string {
  const tail = `    name tail
    path ${logs.join(',')}
    tag bench
    read_from_head true
    refresh_interval 1
${work === 'parsed' ? '    parser nginx\n' : ''}`;
  const forward = `    name forward
    listen 127.0.0.1
    port ${listen}
`;
  const time = `    time_key time
    time_key_format %Y-%m-%dT%H:%M:%SZ
`;
  return `[SERVICE]
    flush 1
    log_level warn
    parsers_file parsers.conf
[INPUT]
${work === 'forward' ? forward : tail}[OUTPUT]
    name kinesis_streams
    match *
    region us-east-1
    stream bench
    endpoint 127.0.0.1
    port ${port}
    tls.ca_file ${SERVER_AUTHORITY}
    simple_aggregation true
    compression ${codec}
${work === 'raw' ? '' : time}`;
}

/** Sets up the clients in other languages, once, in a folder ignored by git. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('.', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../.cache/forward-clients', import.meta.url));

/** How to run a client, or why it cannot be run. */
export type Client =
  | { readonly command: string; readonly args: readonly string[]; readonly skip?: undefined }
  | { readonly skip: string };

async function setUp(
  name: string,
  inputs: readonly string[],
  build: (folder: string) => Promise<void>,
  command: (folder: string) => { command: string; args: readonly string[] },
): Promise<Client> {
  const folder = join(CACHE, name);
  const mark = join(folder, 'built-from');
  const wanted = inputs.map((file) => readFileSync(join(SOURCES, file), 'utf8')).join('\0');
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== wanted) {
    try {
      mkdirSync(folder, { recursive: true });
      await build(folder);
      writeFileSync(mark, wanted);
    } catch (error) {
      const why = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
      return { skip: `${name} client not available: ${why || (error as Error).message}` };
    }
  }
  return command(folder);
}

export function pythonClient(): Promise<Client> {
  return setUp(
    'python',
    ['python-requirements.txt'],
    async (folder) => {
      await run('python3', ['-m', 'venv', join(folder, 'venv')]);
      const requirements = join(SOURCES, 'python-requirements.txt');
      await run(join(folder, 'venv/bin/pip'), ['install', '--quiet', '--requirement', requirements]);
    },
    (folder) => ({ command: join(folder, 'venv/bin/python'), args: [join(SOURCES, 'client.py')] }),
  );
}

export function goClient(): Promise<Client> {
  return setUp(
    'go',
    ['go/main.go', 'go/go.mod', 'go/go.sum'],
    async (folder) => {
      await run('go', ['build', '-o', join(folder, 'client'), '.'], { cwd: join(SOURCES, 'go') });
    },
    (folder) => ({ command: join(folder, 'client'), args: [] }),
  );
}

export function javaClient(): Promise<Client> {
  return setUp(
    'java',
    ['java/pom.xml', 'java/Client.java'],
    async (folder) => {
      const jars = join(folder, 'jars');
      const pom = join(SOURCES, 'java/pom.xml');
      await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`]);
      await run('javac', [
        '-cp',
        join(jars, '*'),
        '-d',
        join(folder, 'classes'),
        join(SOURCES, 'java/Client.java'),
      ]);
    },
    (folder) => ({
      command: 'java',
      args: ['-cp', [join(folder, 'classes'), join(folder, 'jars/*')].join(delimiter), 'Client'],
    }),
  );
}

/** Runs a client to completion; throws its output when it fails. */
export async function runClient(client: Client, ...args: readonly (string | number)[]): Promise<void> {
  if (client.skip !== undefined) throw new Error(client.skip);
  const env = { ...process.env, TZ: 'UTC', LANG: 'C.UTF-8' };
  await run(client.command, [...client.args, ...args.map(String)], { timeout: 60_000, env });
}

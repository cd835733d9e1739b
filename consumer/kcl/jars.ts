/**
 * Brings the jars of the KCL MultiLangDaemon into `.jars/`: by Maven, or without it straight from Maven Central; each
 * is checked against the SHA-256 in jars.sha256 next to this file, and one that does not match is never used.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { atOnce } from '../../base/at-once.ts';
import { TailraceError } from '../../base/errors.ts';
import { sha256 } from '../../base/sha256.ts';

export interface Jars {
  readonly directory: string;
  /** For `java -cp`: exactly the jars of the list. */
  readonly classPath: string;
}

/** Called for every jar that is ready; `how` is where the rest comes from. */
export type JarsReport = (done: number, total: number, how: 'Maven' | 'Maven Central') => void;

interface Jar {
  readonly sha256: string;
  /** Below a Maven repository. */
  readonly path: string;
  readonly file: string;
}

const CENTRAL = 'https://repo.maven.apache.org/maven2';
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const DOWNLOADS_AT_ONCE = 6;
const DOWNLOAD_MS = 120_000;
const KCL = import.meta.dirname;
const DIRECTORY = path.join(import.meta.dirname, '..', '..', '.jars');

/**
 * Makes sure that all jars are there; does nothing but check them when they are.
 *
 * @throws TailraceError JARS_UNAVAILABLE when some cannot be downloaded
 */
export async function ensureJars(
  report: JarsReport = () => {},
  directory: string = DIRECTORY,
): Promise<Jars> {
  const jars = readList();
  fs.mkdirSync(directory, { recursive: true });
  let missing = jars.filter((jar) => !isSound(path.join(directory, jar.file), jar));
  for (const jar of missing) fs.rmSync(path.join(directory, jar.file), { force: true });
  const faults: string[] = [];
  if (missing.length > 0) {
    const done = jars.length - missing.length;
    const incoming = fs.mkdtempSync(path.join(directory, 'incoming-'));
    try {
      await copyWithMaven(incoming, (copied) => report(Math.max(done, copied), jars.length, 'Maven'));
      takeSound(missing, incoming, directory);
    } catch (error) {
      faults.push((error as Error).message);
    } finally {
      fs.rmSync(incoming, { recursive: true, force: true });
    }
    missing = missing.filter((jar) => !fs.existsSync(path.join(directory, jar.file)));
  }
  if (missing.length > 0) {
    let done = jars.length - missing.length;
    report(done, jars.length, 'Maven Central');
    faults.push(
      ...(await download(missing, directory, () => {
        done++;
        report(done, jars.length, 'Maven Central');
      })),
    );
    missing = missing.filter((jar) => !fs.existsSync(path.join(directory, jar.file)));
  }
  if (missing.length > 0) {
    throw new TailraceError(
      'JARS_UNAVAILABLE',
      `${missing.length} of ${jars.length} jars of the KCL daemon cannot be downloaded (${[...new Set(faults)].join('; ')}). ` +
        `Check the network, or install Maven (Debian: apt-get install maven; macOS: brew install maven) and give it a mirror in ~/.m2/settings.xml`,
      { retriable: true },
    );
  }
  return { directory, classPath: jars.map((jar) => path.join(directory, jar.file)).join(path.delimiter) };
}

/**
 * One more jar, for tests: kept with the others, fetched from Maven Central when it is not there.
 *
 * @param jarPath below a Maven repository
 * @throws TailraceError JARS_UNAVAILABLE
 */
export async function ensureJar(
  jarPath: string,
  sha256: string,
  directory: string = DIRECTORY,
): Promise<string> {
  const jar: Jar = { path: jarPath, sha256, file: path.posix.basename(jarPath) };
  const file = path.join(directory, jar.file);
  if (isSound(file, jar)) return file;
  fs.mkdirSync(directory, { recursive: true });
  const faults = await download([jar], directory, () => {});
  if (!fs.existsSync(file)) {
    throw new TailraceError('JARS_UNAVAILABLE', `${jar.file} cannot be downloaded: ${faults.join('; ')}`, {
      retriable: true,
    });
  }
  return file;
}

function readList(): Jar[] {
  const jars: Jar[] = [];
  for (const line of fs.readFileSync(path.join(KCL, 'jars.sha256'), 'utf8').split('\n')) {
    const match = /^([0-9a-f]{64}) {2}(\S+)$/.exec(line);
    if (match) jars.push({ sha256: match[1]!, path: match[2]!, file: path.posix.basename(match[2]!) });
  }
  return jars;
}

function isSound(file: string, jar: Jar): boolean {
  try {
    return sha256(fs.readFileSync(file)) === jar.sha256;
  } catch {
    return false;
  }
}

/** Moves the jars that match their checksums; the others are left behind. */
function takeSound(jars: readonly Jar[], from: string, to: string): void {
  for (const jar of jars) {
    const file = path.join(from, jar.file);
    if (isSound(file, jar)) fs.renameSync(file, path.join(to, jar.file));
  }
}

/** @throws Error when Maven is missing or fails */
function copyWithMaven(directory: string, onJar: (copied: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const maven = spawn(
      'mvn',
      [
        '--batch-mode',
        '--no-transfer-progress',
        '--file',
        path.join(KCL, 'pom.xml'),
        COPY_GOAL,
        `-DoutputDirectory=${directory}`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    maven.once('spawn', () => onJar(0));
    let copied = 0;
    let output = '';
    maven.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-2000);
      const before = copied;
      copied += text.split(' Copying ').length - 1;
      if (copied > before) onJar(copied);
    });
    maven.once('error', () => reject(new Error('Maven is not installed')));
    maven.once('close', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`Maven ended with ${code}: ${/\[ERROR\] (.*)/.exec(output)?.[1] ?? 'no reason given'}`),
        );
    });
  });
}

/** @returns what went wrong */
async function download(jars: readonly Jar[], directory: string, onJar: () => void): Promise<string[]> {
  const faults: string[] = [];
  await atOnce(DOWNLOADS_AT_ONCE, jars, async (jar) => {
    const temporary = path.join(directory, `${jar.file}.${process.pid}.part`);
    try {
      const response = await fetch(`${CENTRAL}/${jar.path}`, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
      if (!response.ok) throw new Error(`Maven Central answered ${response.status}`);
      fs.writeFileSync(temporary, await response.bytes());
      if (!isSound(temporary, jar)) throw new Error(`${jar.file} does not match its checksum`);
      fs.renameSync(temporary, path.join(directory, jar.file));
      onJar();
    } catch (error) {
      const { message, cause } = error as Error;
      faults.push(cause instanceof Error ? `${message}: ${cause.message}` : message);
    } finally {
      fs.rmSync(temporary, { force: true });
    }
  });
  return faults;
}

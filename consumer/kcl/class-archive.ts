/**
 * Java's archive of the classes that the KCL daemon loads (class-data sharing, JEP 350). Made once for a Java and a set of
 * jars, it takes half of the work out of the daemon's start, and some 30 MB off its memory. Never needed: without one, or
 * with one of another Java, the daemon only starts slower.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { sha256 } from '../../base/sha256.ts';
import { JVM_FLAGS, program } from './daemon.ts';

/** Nothing listens at this port: the training ends where the daemon would begin to ask for its leases. */
const NOWHERE = 'http://127.0.0.1:9';
const TRAINED = 'Initializing LeaseCoordinator';
const TRAINING_MS = 60_000;
const PROPERTIES = `executableName = true
processingLanguage = nodejs
streamName = training
applicationName = training
workerId = training
regionName = us-east-1
kinesisEndpoint = ${NOWHERE}
dynamoDBEndpoint = ${NOWHERE}
initialPositionInStream = TRIM_HORIZON
AwsCredentialsProvider = EnvironmentVariableCredentialsProvider
metricsLevel = NONE
`;
const LOGBACK = `<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target><encoder><pattern>%replace(%msg){'[\\r\\n]+', ' '}%nopex%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="ERR"/></root>
</configuration>
`;

/**
 * The archive for this Java and these jars.
 *
 * @param javaVersion what `java -version` says
 * @returns null when there is none
 */
export function classArchive(javaVersion: string, classPath: string): string | null {
  const found = find(javaVersion, classPath);
  return found === null || found.bytes === 0 ? null : found.file;
}

/**
 * Makes the archive next to the jars unless it is there. When that fails, an empty file keeps it from being tried at every
 * start.
 */
export async function makeClassArchive(
  java: string,
  javaVersion: string,
  classPath: string,
  onBegin: () => void = () => {},
): Promise<void> {
  if (find(javaVersion, classPath) !== null) return;
  onBegin();
  const directory = directoryOf(classPath);
  for (const name of fs.readdirSync(directory)) {
    if (/^classes-\w+-\d+\.jsa$/.test(name)) fs.rmSync(path.join(directory, name), { force: true });
  }
  const work = fs.mkdtempSync(path.join(directory, 'incoming-'));
  try {
    const made = path.join(work, 'classes.jsa');
    await train(java, classPath, work, made);
    if (!fs.existsSync(made)) fs.writeFileSync(made, '');
    const { size } = fs.statSync(made);
    fs.renameSync(made, path.join(directory, `${keyOf(javaVersion, classPath)}-${size}.jsa`));
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Signals with which Java ends when it reads what is not there: SIGABRT, unless its own handler fails, too. */
const CRASHES: ReadonlySet<string | null> = new Set(['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL']);

/**
 * Removes an archive with which Java has crashed: it checks the head alone, so that one damaged further on would crash each
 * daemon after it. Where it cannot be removed, leaving it aside has to do.
 *
 * @returns whether this end was such a crash
 */
export function dropAfterCrash(archive: string, signal: NodeJS.Signals | null): boolean {
  if (!CRASHES.has(signal)) return false;
  try {
    fs.rmSync(archive, { force: true });
  } catch {
    // A read-only installation.
  }
  return true;
}

function directoryOf(classPath: string): string {
  return path.dirname(classPath.split(path.delimiter)[0]!);
}

/** Java checks the same of an archive, but with a complaint; one made with other flags it may leave aside. */
function keyOf(javaVersion: string, classPath: string): string {
  const jars = classPath.split(path.delimiter).map((jar) => {
    const { size, mtimeMs } = fs.statSync(jar);
    return `${jar} ${size} ${mtimeMs}\n`;
  });
  return `classes-${sha256(`${javaVersion}\n${JVM_FLAGS.join(' ')}\n${jars.join('')}`).slice(0, 16)}`;
}

/** Java would crash on an archive that is cut short: its name has its size. */
function find(
  javaVersion: string,
  classPath: string,
): { readonly file: string; readonly bytes: number } | null {
  try {
    const directory = directoryOf(classPath);
    const key = keyOf(javaVersion, classPath);
    for (const name of fs.readdirSync(directory)) {
      const bytes = Number(new RegExp(`^${key}-(\\d+)\\.jsa$`).exec(name)?.[1] ?? -1);
      const file = path.join(directory, name);
      if (bytes >= 0 && fs.statSync(file).size === bytes) return { file, bytes };
    }
  } catch {
    // Jars that are not there, or not to be read: whoever starts the daemon says so.
  }
  return null;
}

/** Runs the daemon as far as it gets without AWS; Java writes the archive when it ends. */
function train(java: string, classPath: string, work: string, file: string): Promise<void> {
  const properties = path.join(work, 'kcl.properties');
  const logging = path.join(work, 'logging.xml');
  fs.writeFileSync(properties, PROPERTIES);
  fs.writeFileSync(logging, LOGBACK);
  const flags = [`-XX:ArchiveClassesAtExit=${file}`, ...JVM_FLAGS, '-Xmx256m'];
  const daemon = spawn(java, [...flags, ...program(classPath, properties, logging)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      AWS_ACCESS_KEY_ID: 'training',
      AWS_SECRET_ACCESS_KEY: 'training',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  });
  const timer = setTimeout(() => daemon.kill('SIGKILL'), TRAINING_MS);
  readline.createInterface({ input: daemon.stderr }).on('line', (line) => {
    if (line.includes(TRAINED)) daemon.kill('SIGTERM');
  });
  return new Promise((resolve) => {
    daemon.once('error', () => resolve());
    daemon.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

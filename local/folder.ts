/** The folder of a stack: locked by one process at a time, and cleared of what earlier runs left behind. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { TailraceError } from '../base/errors.ts';
import { makeFolder } from '../base/make-folder.ts';
import { systemReason } from '../base/system-error.ts';

/** Everything that a stack and a pipeline put into their folder; anything else there is not theirs. */
const OWN = ['kinesis', 'dynamodb', 's3', 'logs', 'demo', 'agent', 'agent.yaml', 'consumer.yaml', 'env.sh'];
const PID_FILE = 'stack.pid';

/**
 * Removes what earlier runs left in the folder.
 *
 * @throws TailraceError DATA_DIR or DATA_DIR_IN_USE
 */
export function clearFolder(dataDir: string): void {
  holdFolder(dataDir)();
  for (const name of OWN) fs.rmSync(path.join(dataDir, name), { recursive: true, force: true });
}

/**
 * Two stacks on one folder would corrupt it: the second is refused while the first one's process is alive.
 *
 * @returns a function that releases the folder
 * @throws TailraceError DATA_DIR when it cannot be written to, DATA_DIR_IN_USE
 */
export function holdFolder(dataDir: string): () => void {
  const file = path.join(dataDir, PID_FILE);
  const holder = livingHolder(file);
  if (holder !== null && holder !== process.pid) {
    throw new TailraceError(
      'DATA_DIR_IN_USE',
      `${dataDir} is in use by process ${holder}; stop that one or choose another folder`,
    );
  }
  try {
    makeFolder(dataDir);
    fs.writeFileSync(file, `${process.pid}\n${startOf(process.pid)}\n`);
  } catch (cause) {
    throw new TailraceError(
      'DATA_DIR',
      `${dataDir} cannot be used as a data folder: ${systemReason(cause)}`,
      { cause },
    );
  }
  return () => fs.rmSync(file, { force: true });
}

/** After a crash another process may have the pid: it is the holder only if it started when the holder did. */
function livingHolder(file: string): number | null {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const [number, start] = text.split('\n');
  const pid = Number(number);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return null;
  const now = startOf(pid);
  return start === undefined || start === '' || now === '' || now === start ? pid : null;
}

/** When a process started, as text unique among processes with this pid; empty where that is unknown. */
function startOf(pid: number): string {
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields from 3 on follow the command name, which may contain anything; the start time is field 22.
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

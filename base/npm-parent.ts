/** Ends a command with the npm or npx that ran it: npm passes no signal on when it is killed, and dies alone. */
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 1000;
/** npm, perhaps a shell, perhaps the set-up, this process. */
const MOST_GENERATIONS = 4;

/**
 * Calls `end` once when the npm or npx above this process is gone. Does nothing for a command that was started otherwise,
 * and where there is no /proc, only a parent that is npm itself is watched.
 */
export function whenNpmIsGone(end: () => void): void {
  if (process.env['npm_execpath'] === undefined) return;
  const npm = npmAbove();
  if (npm === null) return;
  const timer = setInterval(() => {
    if (startedAt(npm.pid) === npm.startedAt) return;
    clearInterval(timer);
    end();
  }, LOOK_EVERY_MS);
  timer.unref();
}

interface Process {
  readonly pid: number;
  /** What tells it from a later process with its id. */
  readonly startedAt: string | null;
}

function npmAbove(): Process | null {
  if (process.platform !== 'linux') return { pid: process.ppid, startedAt: startedAt(process.ppid) };
  let pid = process.ppid;
  for (let i = 0; i < MOST_GENERATIONS && pid > 1; i++) {
    const found = look(pid);
    if (found === null) return null;
    // npm calls itself so in its title, and its file is npm-cli.js or npx-cli.js.
    if (/^np[mx] |np[mx](?:-cli\.js)?\0/.test(found.command)) return { pid, startedAt: found.startedAt };
    pid = found.parent;
  }
  return null;
}

function startedAt(pid: number): string | null {
  if (process.platform === 'linux') return look(pid)?.startedAt ?? null;
  return process.ppid === pid ? 'alive' : null;
}

function look(
  pid: number,
): { readonly parent: number; readonly startedAt: string; readonly command: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After a name in parentheses that may have anything in it: state, parent, and as the 22nd field the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return null;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return { parent: Number(fields[1]), startedAt: fields[19]!, command };
  } catch {
    return null;
  }
}

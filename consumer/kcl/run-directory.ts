/**
 * The directory of one run of a worker: sockets, pipes, the relay's script and the daemon's settings. They are opened
 * when a shard begins or ends, which may be months after they were made, and whatever cleans up temporary folders removes
 * what is older than some days (systemd-tmpfiles: ten, in the private /tmp of a service, too).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

export const KEEP_FRESH_EVERY_MS = 6 * 3_600_000;

/** Makes it: in the runtime directory of a systemd service, which nothing cleans up, or where temporary files go. */
export function runDirectory(env: NodeJS.ProcessEnv = process.env): string {
  // Short, because a unix socket's path has room for about a hundred bytes.
  const parent = env['RUNTIME_DIRECTORY']?.split(':')[0] || os.tmpdir();
  return fs.mkdtempSync(path.join(parent, 'tailrace-'));
}

/** Makes everything in it as old as this moment. */
export function keepFresh(directory: string, now = new Date()): void {
  try {
    for (const name of fs.readdirSync(directory)) touch(path.join(directory, name), now);
    touch(directory, now);
  } catch {
    // Somebody has removed it: the next daemon that is started says so.
  }
}

function touch(file: string, now: Date): void {
  try {
    fs.utimesSync(file, now, now);
  } catch {
    // A relay's pipes go with it.
  }
}

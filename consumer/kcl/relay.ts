/** What the daemon starts for each shard when one process serves all of them; consumer/shard/serve.ts is its other side. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Where relays name themselves, in the launcher's directory. */
export const SHARDS_FIFO = 'shards';

/** What the host says to a relay whose pipes it has opened. */
export const OPENED = 'opened\n';

/** The relay's descriptors of the daemon's pipes: its own stdin and stdout are other files while it waits and writes. */
export const PIPE_FDS = { stdin: 5, stdout: 6 } as const;

/**
 * Keeps the daemon's two pipes open while the host uses them, and ends with the exit code that the host says, or with 1
 * when the host is gone: once the host has the FIFO open, the relay has it for reading alone, and sees it end. Opening a
 * FIFO for both ways neither waits nor ends; signals are left to the daemon, which a service manager may send them with.
 */
const SCRIPT = `trap '' INT TERM HUP
exit_fifo="$TAILRACE_RELAYS/exit.$$" life_fifo="$TAILRACE_RELAYS/life.$$"
mkfifo -m 600 "$exit_fifo" "$life_fifo" || exit 1
exec 3<>"$exit_fifo" 4<>"$life_fifo" ${PIPE_FDS.stdin}<&0 ${PIPE_FDS.stdout}>&1
echo $$ > "$TAILRACE_RELAYS/${SHARDS_FIFO}" || exit 1
read -r word <&3
exec 7<"$exit_fifo" 3<&-
read -r code <&7
rm -f "$exit_fifo" "$life_fifo"
exit "\${code:-1}"
`;
const SCRIPT_FILE = 'relay.sh';

export interface Relays {
  /** As the daemon starts it: it splits the command at blanks alone, and tabs carry a shell through. */
  readonly executable: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Prepares a directory for relays.
 *
 * @returns null where a process cannot open another one's pipes: each shard then has a process of its own
 */
export function prepareRelays(directory: string): Relays | null {
  if (process.platform !== 'linux' || !fs.existsSync('/proc/self/fd')) return null;
  const script = path.join(directory, SCRIPT_FILE);
  const fifo = path.join(directory, SHARDS_FIFO);
  fs.writeFileSync(script, SCRIPT, { mode: 0o600 });
  fs.rmSync(fifo, { force: true });
  if (spawnSync('mkfifo', ['-m', '600', fifo], { stdio: 'ignore' }).status !== 0) return null;
  return {
    executable: 'sh -c exec\tsh\t"$TAILRACE_RELAY"',
    env: { TAILRACE_RELAYS: directory, TAILRACE_RELAY: script },
  };
}

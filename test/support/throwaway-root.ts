/**
 * This machine's file system to install into, which vanishes with its test: an overlay in a mount namespace of its own.
 * Needs root and Linux.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mounts the overlay and waits until its standard input closes. `$1` is the folder, `$2` what is seen at /mnt. */
const MOUNT = `
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount --bind "$2" "$1/root/mnt"
echo mounted
cat >/dev/null
`;

export class ThrowawayRoot {
  readonly #holder: ChildProcess;
  readonly #folder: string;

  private constructor(holder: ChildProcess, folder: string) {
    this.#holder = holder;
    this.#folder = folder;
  }

  /**
   * @param shown the folder that is at /mnt in it
   * @returns null where it cannot be had
   */
  static async create(
    context: { after: (done: () => Promise<void>) => void },
    shown: string,
  ): Promise<ThrowawayRoot | null> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
    const folder = mkdtempSync(join(tmpdir(), 'root-'));
    const holder = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', MOUNT, 'sh', folder, shown],
      {
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    const mounted = once(holder.stdout, 'data').then(() => true);
    const ended = once(holder, 'close').then(() => false);
    const root = new ThrowawayRoot(holder, folder);
    context.after(async () => {
      holder.stdin.end();
      await ended;
      rmSync(folder, { recursive: true });
    });
    return (await Promise.race([mounted, ended])) ? root : null;
  }

  /** @throws Error with what it wrote, when the command does not end with 0 */
  run(command: string, ...args: string[]): string {
    const [program, ...all] = this.#inside(command, args);
    const { status, stdout, stderr } = spawnSync(program, all, { encoding: 'utf8' });
    if (status !== 0)
      throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  has(path: string): boolean {
    const [program, ...all] = this.#inside('test', ['-e', path]);
    return spawnSync(program, all).status === 0;
  }

  write(path: string, text: string): void {
    const [program, ...all] = this.#inside('tee', ['-a', path]);
    spawnSync(program, all, { input: text });
  }

  start(env: Readonly<Record<string, string>>, command: string, ...args: string[]): ChildProcess {
    const [program, ...all] = this.#inside(command, args);
    return spawn(program, all, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  #inside(command: string, args: readonly string[]): [string, ...string[]] {
    const mounts = `--mount=/proc/${this.#holder.pid}/ns/mnt`;
    return ['nsenter', mounts, 'chroot', join(this.#folder, 'root'), command, ...args];
  }
}

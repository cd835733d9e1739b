/** What keeps the state directory: not every file system keeps what the agent has promised. */
import { existsSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Magic numbers of statfs(2) on Linux. */
const IN_MEMORY = new Set([0x01021994, 0x858458f6]);
const OVERLAY = 0x794c7630;
const NETWORK = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42]);

/**
 * What is wrong with keeping state there, in a sentence; null when nothing is known to be.
 *
 * @param type the file system's magic number
 */
export function volumeFault(type: number): string | null {
  if (IN_MEMORY.has(type))
    return 'state_dir is in memory (tmpfs): a restart loses the spool with acknowledged events, and logs are read from their start; give it a disk';
  if (type === OVERLAY)
    return 'state_dir is a layer of a container: the next container loses the spool with acknowledged events, and reads logs from their start; give it a volume';
  if (NETWORK.has(type))
    return 'state_dir is on a network file system: its lock does not keep out an agent on another host, so give each host its own directory';
  return null;
}

/** The same for a directory, or where it is going to be. */
export function stateVolumeFault(directory: string): string | null {
  if (process.platform !== 'linux') return null;
  let existing = resolve(directory);
  while (!existsSync(existing) && existing !== '/') existing = dirname(existing);
  try {
    return volumeFault(statfsSync(existing).type);
  } catch {
    return null;
  }
}

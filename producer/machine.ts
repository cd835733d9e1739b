/** Which machine this is: a state directory that turns up on another one belongs to another producer there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Says that the machine was booted with systemd, see sd_booted(3): in a container nothing does. */
const BOOTED = 'run/systemd/system';
/** Where EC2 names the instance, on Nitro and on Xen: an image keeps the machine's id that its first instance had. */
const INSTANCES = [
  ['sys/class/dmi/id/board_asset_tag', /^i-[0-9a-f]+$/],
  ['sys/hypervisor/uuid', /^ec2[0-9a-f-]+$/],
] as const;

/**
 * The id of machine-id(5), and on an EC2 instance that of the instance behind a space. A container, whose volumes may
 * follow it from instance to instance, has at most an id of its image: there the state directory alone counts.
 *
 * @param root the folder that holds the file system
 */
export function machineId(root = '/'): string {
  const machine = read(join(root, 'etc/machine-id')) ?? 'none';
  if (!existsSync(join(root, BOOTED))) return machine;
  for (const [file, pattern] of INSTANCES) {
    const instance = read(join(root, file));
    if (instance !== null && pattern.test(instance)) return `${machine} ${instance}`;
  }
  return machine;
}

/** Whether an id that was saved, perhaps by a release that did not look for instances, is of this machine. */
export function isSameMachine(saved: string, machine: string): boolean {
  return saved === machine || (!saved.includes(' ') && machine.startsWith(`${saved} `));
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

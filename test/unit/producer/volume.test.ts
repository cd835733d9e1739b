/** Where a state directory is not safe, by the number that the system gives its file system. */
import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { test } from 'node:test';
import { stateVolumeFault, volumeFault } from '../../../producer/volume.ts';

test('memory, layers of containers and network file systems are named, disks are not', () => {
  const [ext, xfs, btrfs, zfs] = [0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1];
  for (const disk of [ext, xfs, btrfs, zfs]) assert.equal(volumeFault(disk), null);
  assert.match(volumeFault(0x01021994)!, /in memory .* give it a disk/);
  assert.match(volumeFault(0x794c7630)!, /layer of a container: .* give it a volume/);
  for (const network of [0x6969, 0xfe534d42]) assert.match(volumeFault(network)!, /on another host/);
});

test('a directory that is not there yet counts as the one in which it is made', {
  skip: process.platform !== 'linux' && 'wants /proc',
}, () => {
  const proc = statfsSync('/proc').type;
  assert.equal(stateVolumeFault('/proc/not/there'), volumeFault(proc));
  const memory = statfsSync('/dev/shm').type;
  assert.equal(stateVolumeFault('/dev/shm/not/there'), volumeFault(memory));
});

/** Machines of one image: each is a producer of its own, and one that was upgraded stays the producer that it was. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Identity } from '../../../producer/identity.ts';
import { machineId } from '../../../producer/machine.ts';
import { StateMap } from '../../../producer/state.ts';
import { temporaryFolder } from '../../support/numbered-log.ts';

const IMAGE = '4c2f9a0d1b6e4f7a8c3d5e6f7a8b9c0d';

const machineOf = (root: string, files: Readonly<Record<string, string>>): string => {
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  }
  return machineId(root);
};

test('a machine is its id, and on EC2 its instance', (t) => {
  const id = { 'etc/machine-id': `${IMAGE}\n`, 'run/systemd/system/.keep': '' };
  const folder = () => temporaryFolder(t);
  assert.equal(machineOf(folder(), {}), 'none');
  assert.equal(machineOf(folder(), id), IMAGE);
  const nitro = { 'sys/class/dmi/id/board_asset_tag': 'i-0a1b2c3d4e5f60718\n' };
  assert.equal(machineOf(folder(), { ...id, ...nitro }), `${IMAGE} i-0a1b2c3d4e5f60718`);
  const xen = { 'sys/hypervisor/uuid': 'ec2d2f47-73ef-dc51-3a5c-f4b9c4bbf4a6\n' };
  assert.equal(machineOf(folder(), { ...id, ...xen }), `${IMAGE} ec2d2f47-73ef-dc51-3a5c-f4b9c4bbf4a6`);
  const other = { 'sys/class/dmi/id/board_asset_tag': 'Not Specified\n' };
  assert.equal(machineOf(folder(), { ...id, ...other }), IMAGE);
});

test('a container follows its volume, on whatever instance it runs', (t) => {
  const nitro = { 'etc/machine-id': IMAGE, 'sys/class/dmi/id/board_asset_tag': 'i-0a1b2c3d4e5f60718' };
  assert.equal(machineOf(temporaryFolder(t), nitro), IMAGE);
});

test('instances of one image are producers of their own; an upgraded one stays what it was', () => {
  const state = new StateMap();
  const identities = ['m', 'm i-1', 'm i-1', 'm i-2', 'n i-2'].map((machine, i) => {
    const identity = new Identity(state, machine, i);
    return { producer: identity.producer, previous: identity.next('lane', identity.epoch).previous };
  });
  const [first, upgraded, restarted, cloned, renamed] = identities;
  assert.equal(upgraded!.producer, first!.producer);
  assert.equal(restarted!.producer, first!.producer);
  assert.notEqual(restarted!.previous, null);
  assert.notEqual(cloned!.producer, first!.producer);
  assert.equal(cloned!.previous, null);
  assert.notEqual(renamed!.producer, cloned!.producer);
});

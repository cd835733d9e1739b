/** Settings that cannot work, alone or together, are refused, each with its reason. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import {
  type DrainTimes,
  parametersProblem,
  paramOf,
  settingsProblem,
  type TemplateParameter,
} from '../../../functions/limits.ts';

const DEFAULTS: DrainTimes = {
  heartbeatSeconds: 300,
  flushSeconds: 900,
  deliverySeconds: 120,
  budgetSeconds: 3600,
  maxSends: 2,
};

const REFUSED: [Partial<DrainTimes>, RegExp][] = [
  [{ heartbeatSeconds: 30 }, /^heartbeatSeconds=30: set 180 to 7200/],
  [{ heartbeatSeconds: 60 }, /^heartbeatSeconds=60/],
  [{ heartbeatSeconds: 7201 }, /^heartbeatSeconds=7201/],
  [{ budgetSeconds: 30_000 }, /ends the wait after 30000 s/],
  [{ budgetSeconds: 172_800, heartbeatSeconds: 7200 }, /after 172800 s \(48 h/],
  [{ deliverySeconds: 172_801 }, /^deliverySeconds=172801: set 30 to 172800/],
  [{ deliverySeconds: 29 }, /^deliverySeconds=29/],
  [{ flushSeconds: 1680 }, /× .* is 3600 s; set more/],
];

test('the defaults work', () => assert.equal(settingsProblem(DEFAULTS), null));

for (const [change, reason] of REFUSED) {
  test(`refused: ${JSON.stringify(change)}`, () => {
    assert.match(settingsProblem({ ...DEFAULTS, ...change }) ?? 'nothing', reason);
  });
}

const INFRA = join(import.meta.dirname, '../../../infra');
const text = (file: string): string => readFileSync(join(INFRA, file), 'utf8');
const FILES = ['parameters.yml', 'drain-parameters.yml', 'worker.yml'];
const PARAMETERS = Object.assign(
  {},
  ...FILES.map((file) => (parse(text(file)) as { Parameters: object }).Parameters),
) as Record<string, TemplateParameter>;

test('each parameter is called by the param that sets it', () => {
  for (const [name, { Default }] of Object.entries(PARAMETERS))
    assert.equal(Default, `\${param:${paramOf(name)}}`, name);
});

/** The limits of the real parameters, with values that a deployment gives. */
function withValues(values: Record<string, string | number>): Record<string, TemplateParameter> {
  const entries = Object.entries(values).map(([name, value]) => {
    assert.ok(PARAMETERS[name], name);
    return [name, { ...PARAMETERS[name], Default: value }];
  });
  return Object.fromEntries(entries) as Record<string, TemplateParameter>;
}

const WRONG: [values: Record<string, string | number>, reason: RegExp][] = [
  [{ RetentionHours: 12 }, /^retentionHours=12: expected 24 to 8760$/],
  [{ RetentionHours: '7d' }, /^retentionHours=7d: expected 24 to 8760$/],
  [{ Shards: '' }, /^shards=: expected a number of at least 1$/],
  [{ HasDashboard: 'yes' }, /^dashboard=yes: expected true or false$/],
  [{ StreamMode: 'on_demand' }, /^streamMode=on_demand: expected PROVISIONED or ON_DEMAND$/],
  [{ StopFirst: 'a;b' }, /^stopFirst=a;b: expected a value that matches/],
  [{ VpcId: 'vpc-1', SubnetIds: '' }, /^vpcId without subnetIds: an existing network needs both$/],
  [{ VpcId: '', SubnetIds: 'subnet-1' }, /^subnetIds without vpcId/],
  [{ MinShards: 9, MaxShards: '8' }, /^minShards=9 is more than maxShards=8$/],
  [{ WebMin: 5, WebMax: 4 }, /^webMin=5 is more than webMax=4$/],
];
for (const [values, reason] of WRONG)
  test(`refused: ${JSON.stringify(values)}`, () =>
    assert.match(parametersProblem(withValues(values)) ?? 'nothing', reason));

test('values within their limits are taken, as numbers and as text', () => {
  const values = {
    VpcId: 'vpc-1',
    SubnetIds: 'subnet-1,subnet-2',
    RetentionHours: '24',
    WebMin: 0,
    WebMax: 4,
  };
  assert.equal(parametersProblem(withValues({ ...values, StopFirst: 'nginx php@8.3' })), null);
});

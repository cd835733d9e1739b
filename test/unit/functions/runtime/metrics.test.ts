/** What the functions send to CloudWatch, and what they are not charged for because there is nothing to say. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('../../../../functions/runtime/metrics.ts', import.meta.url).href;

/** The names of metrics that come of these measures. */
function sent(measures: Readonly<Record<string, number>>): string[] {
  const program = `import { Measures } from '${MODULE}';
    const measures = new Measures();
    for (const [name, value] of Object.entries(${JSON.stringify(measures)})) measures.add(name, value);
    measures.write();`;
  const line = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  const [{ Metrics }] = JSON.parse(line)._aws.CloudWatchMetrics as [{ Metrics: { Name: string }[] }];
  return Metrics.map(({ Name }) => Name);
}

test('a trouble is sent when there is one, and anything else at 0, too', () => {
  assert.deepEqual(sent({ WatchRuns: 1, InstancesWaiting: 0, GroupsMissing: 0 }), [
    'WatchRuns',
    'InstancesWaiting',
  ]);
  assert.deepEqual(sent({ WatchRuns: 1, GroupsMissing: 2 }), ['WatchRuns', 'GroupsMissing']);
});

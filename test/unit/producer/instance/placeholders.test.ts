import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { Metadata } from '../../../../producer/instance/metadata.ts';
import { resolvePlaceholders } from '../../../../producer/instance/placeholders.ts';
import { MetadataDouble, NO_METADATA } from '../../../support/metadata-double.ts';

const ADDED = { id: `\${instance_id}`, zone: `at \${availability_zone}` };

/** Metadata that fails its first requests. */
function failing(failures: number): { endpoint: string; get: (path: string) => Promise<string> } {
  let left = failures;
  return {
    endpoint: 'http://here',
    get: (path) => (left-- > 0 ? Promise.reject(new Error('status 503')) : Promise.resolve(path)),
  };
}

test('instance id and zone come from the metadata service that was configured', async (context) => {
  const double = await MetadataDouble.start();
  context.after(() => double.stop());
  double.values.set('placement/availability-zone', 'eu-central-1a');
  assert.deepEqual(await resolvePlaceholders(ADDED, new Metadata(double.endpoint)), {
    hostname: hostname(),
    instance_id: 'i-0123456789abcdef0',
    availability_zone: 'eu-central-1a',
  });
});

test('it is not asked where nothing is wanted of it', async () => {
  const values = await resolvePlaceholders({ host: `\${hostname}` }, NO_METADATA);
  assert.deepEqual(values, { hostname: hostname() });
});

test('a failure is retried, and one that lasts says which address and what to do', async () => {
  assert.equal((await resolvePlaceholders(ADDED, failing(2))).instance_id, 'instance-id');
  for (const metadata of [failing(1000), { endpoint: 'http://here', get: () => Promise.resolve(null) }]) {
    await assert.rejects(resolvePlaceholders(ADDED, metadata), {
      code: 'METADATA',
      retriable: true,
      message: /at http:\/\/here does not answer, .*instance_id.*instance\.endpoint/,
    });
  }
});

/** The daemon's properties: every key of ours has its property, and Java reads the values as they were. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from '../../../../cli/config.ts';
import { consumerSchema, kclSchema } from '../../../../consumer/config.ts';
import { KCL_PROPERTIES, renderProperties } from '../../../../consumer/kcl/properties.ts';

const MINIMUM = { stream: { name: 'weblogs', region: 'eu-central-1' }, archive: { bucket: 'logs' } };

function properties(config: object): Map<string, string> {
  const text = renderProperties(checkConfig('consumer.yaml', config, consumerSchema), 'sh -c exec\tx');
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' = ', 2) as [string, string]),
  );
}

test('every key of kcl becomes a property', () => {
  assert.deepEqual(KCL_PROPERTIES.map(({ key }) => key).sort(), Object.keys(kclSchema.shape).sort());
});

test('defaults ask for what the archiver depends on', () => {
  const rendered = properties(MINIMUM);
  assert.equal(rendered.get('initialPositionInStream'), 'TRIM_HORIZON');
  assert.equal(rendered.get('callProcessRecordsEvenForEmptyRecordList'), 'true');
  assert.equal(rendered.get('shutdownGraceMillis'), '30000');
  assert.equal(rendered.get('retrievalMode'), 'POLLING');
  assert.equal(rendered.has('timeoutInSeconds'), false);
  assert.equal(rendered.has('kinesisEndpoint'), false);
  assert.equal(rendered.has('maxLeasesForWorker'), false);
});

test('values stand as Java reads them back', () => {
  const rendered = properties({
    ...MINIMUM,
    worker_id: 'büro\\1\nx',
    kcl: { retrieval: 'fan_out', failover_time: '2s', max_leases: 3 },
  });
  assert.equal(rendered.get('workerId'), 'b\\u00fcro\\\\1 x');
  assert.equal(rendered.get('retrievalMode'), 'FANOUT');
  assert.equal(rendered.get('failoverTimeMillis'), '2000');
  assert.equal(rendered.get('maxLeasesForWorker'), '3');
  assert.equal(rendered.get('executableName'), 'sh -c exec\\tx');
});

test('a configuration that is wrong is refused with the key', () => {
  assert.throws(
    () => properties({ ...MINIMUM, kcl: { failover: '1s' } }),
    /consumer\.yaml: kcl\.failover: unknown key/,
  );
  assert.throws(
    () => properties({ ...MINIMUM, archive: { bucket: 'b', key_template: '{tag}/x' } }),
    /archive\.key_template: must end in \{name\}/,
  );
  assert.throws(() => properties({ ...MINIMUM, batch: { max_age: 5 } }), /batch\.max_age: /);
});

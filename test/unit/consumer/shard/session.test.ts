/** What a shard's session reports to the launcher. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { checkConfig } from '../../../../cli/config.ts';
import { consumerSchema } from '../../../../consumer/config.ts';
import { Budget } from '../../../../consumer/shard/budget.ts';
import { parseShardConfig, shardConfigText } from '../../../../consumer/shard/config.ts';
import { LineSlots } from '../../../../consumer/shard/line-slots.ts';
import { Resources } from '../../../../consumer/shard/resources.ts';
import { ShardSession } from '../../../../consumer/shard/session.ts';
import { ReportServer, type ShardReport } from '../../../../consumer/status/report.ts';
import { temporaryDirectory } from '../../../support/agent-process.ts';

test('nothing is reported of a shard that KCL has not named yet', async (t) => {
  const socket = path.join(temporaryDirectory(t), 'r.sock');
  const reports: ShardReport[] = [];
  const gone = Promise.withResolvers<unknown>();
  const server = new ReportServer((report) => reports.push(report), gone.resolve);
  await server.listen(socket);
  t.after(() => server.close());
  const yaml = checkConfig(
    'consumer.yaml',
    { stream: { name: 'weblogs', region: 'us-east-1' }, archive: { bucket: 'logs' } },
    consumerSchema,
  );
  const config = parseShardConfig(shardConfigText(yaml));
  const log = pino({ level: 'silent' });
  t.mock.timers.enable({ apis: ['setInterval'] });
  const input = new PassThrough();
  const session = new ShardSession(
    {
      config,
      log,
      resources: new Resources(config, log),
      budget: new Budget(config.batch),
      slots: new LineSlots(1),
      reports: socket,
      failpoints: null,
      onShare: () => {},
      onLine: () => {},
    },
    { input, output: new PassThrough(), pid: 1, daemon: 1 },
  );
  t.mock.timers.tick(5000);
  input.end();
  await session.ended;
  await gone.promise;
  assert.deepEqual(reports, []);
});

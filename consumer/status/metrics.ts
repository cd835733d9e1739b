/** The worker's metrics: counters and gauges of each shard, and of the worker as a whole. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Board, ShardLine, WorkerStatus } from './board.ts';
import { COUNTERS, type CounterName } from './report.ts';

const HELP: Readonly<Record<CounterName, string>> = {
  records: 'User records taken in',
  bytes_received: 'Bytes of user records taken in',
  chunks: 'Chunks archived',
  events: 'Events archived',
  bytes: 'Bytes of data objects',
  duplicates: 'Chunks skipped because they are archived already',
  commits: 'Commits written',
  objects: 'Data objects named by commits',
  small_objects: 'Data objects below 1 MiB',
  followed: "Other workers' commits followed or completed",
  voided_objects: 'Data objects whose data was lost and which were voided',
  foreign: 'Foreign records archived',
  damaged: 'Damaged chunks archived as foreign bytes',
  rewritten: 'Lines of foreign records changed so that every reader takes them',
  unproven: 'Chunks archived although their lane may have been forgotten',
  passed_over: 'User records delivered a second time that the log covers',
  s3_errors: 'S3 calls that failed and were retried',
  checkpoints: 'Checkpoints written',
};

/** The label of shards that the worker has not read for an hour or more. */
const FORGOTTEN = 'others';

/** The text of /metrics, in Prometheus' format. */
export function consumerMetrics(board: Board): Promise<string> {
  const registers = [new Registry()];
  const status = board.status();
  const labelNames = ['shard'] as const;
  for (const name of COUNTERS) {
    const counter = new Counter({
      name: `tailrace_consumer_${name}_total`,
      help: HELP[name],
      labelNames,
      registers,
    });
    for (const [shard, line] of Object.entries(status.shards)) counter.inc({ shard }, line[name]);
    // So that their sum over all shards never falls.
    if (status.forgotten[name] > 0) counter.inc({ shard: FORGOTTEN }, status.forgotten[name]);
  }
  const gauge = (name: string, help: string, value: (line: ShardLine) => number | null): void => {
    const one = new Gauge({ name: `tailrace_consumer_${name}`, help, labelNames, registers });
    for (const [shard, line] of Object.entries(status.shards)) {
      const now = value(line);
      if (line.connected && now !== null) one.set({ shard }, now);
    }
  };
  gauge('behind_latest_seconds', 'How far behind the end of the shard', (line) =>
    line.millis_behind_latest === null ? null : line.millis_behind_latest / 1000,
  );
  gauge('pending_bytes', 'Bytes of records that no commit covers yet', (line) => line.pending_bytes);
  gauge(
    'oldest_pending_seconds',
    'Age of the oldest record that no commit covers yet',
    (line) => (line.oldest_pending_ms ?? 0) / 1000,
  );
  gauge('last_commit_timestamp_seconds', 'When the last commit was written', (line) =>
    line.last_commit_at === null ? null : line.last_commit_at / 1000,
  );
  gauge('stuck', '1 when a call of KCL, or the wait for the next, takes longer than stuck_after', (line) =>
    line.stuck ? 1 : 0,
  );
  gauge('s3_denied', '1 while S3 denies access or has no such bucket', (line) =>
    line.s3_trouble === null ? 0 : 1,
  );
  gauge('stopped', '1 when the shard needs somebody to act', (line) => (line.phase === 'stopped' ? 1 : 0));
  gauge('lanes', 'Lanes in memory', (line) => line.lanes);
  const errors = new Counter({
    name: 'tailrace_consumer_s3_errors_by_reason_total',
    help: 'S3 calls that failed and were retried, by reason',
    labelNames: ['shard', 'reason'],
    registers,
  });
  for (const [shard, byReason] of board.s3Errors()) {
    for (const [reason, n] of byReason) errors.inc({ shard, reason }, n);
  }
  addWorkerMetrics(status, registers);
  return registers[0]!.metrics();
}

/** What is about the worker and not one of its shards. */
function addWorkerMetrics(status: WorkerStatus, registers: Registry[]): void {
  new Counter({
    name: 'tailrace_consumer_daemon_restarts_total',
    help: 'How often the daemon was restarted',
    registers,
  }).inc(status.daemon_restarts);
  new Counter({
    name: 'tailrace_consumer_deaggregation_failures_total',
    help: 'Aggregated records that KCL could not take apart, or not to their end',
    registers,
  }).inc(status.deaggregation_failures);
  new Gauge({ name: 'tailrace_consumer_up', help: '1 while the daemon runs', registers }).set(
    status.phase === 'running' ? 1 : 0,
  );
  new Gauge({
    name: 'tailrace_consumer_faults',
    help: 'What is wrong with the worker: as many as /health and status name',
    registers,
  }).set(status.faults.length);
  const unread = Object.values(status.unread_ms);
  new Gauge({
    name: 'tailrace_consumer_unread_shards',
    help: 'Open shards that no worker reads',
    registers,
  }).set(unread.length);
  new Gauge({
    name: 'tailrace_consumer_unread_seconds',
    help: 'For how long no worker has read some open shard',
    registers,
  }).set(Math.max(0, ...unread) / 1000);
  const refused = new Gauge({
    name: 'tailrace_consumer_refused',
    help: '1 while AWS refuses the daemon, by reason',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of Object.keys(status.refused)) refused.set({ reason }, 1);
}

/**
 * What the keys of agent.yaml and consumer.yaml mean. The tables in docs/ (`npm run docs`) and the descriptions that editors
 * show (`tailrace schema`) come from here; a test compares the defaults with those of the schemas.
 */

export interface Option {
  /** As paths: `stream.name`. */
  readonly keys: readonly string[];
  /** For the table: defaults between backticks, in the order of the keys, or words. */
  readonly fallback: string;
  readonly means: string;
  /** The KCL's own name. */
  readonly property?: string;
}

/** agent.yaml; what an input has is described with its formats. */
export const AGENT_OPTIONS: readonly Option[] = [
  {
    keys: ['state_dir'],
    fallback: '',
    means: 'required: directory for the spool, positions, identity and control socket; one agent at a time',
  },
  { keys: ['stream.name', 'stream.region'], fallback: '', means: 'required' },
  {
    keys: ['stream.arn'],
    fallback: 'none',
    means:
      "ARN of a stream in another account, whose resource policy must allow this server's role; `name` and `region` are still required",
  },
  {
    keys: ['stream.endpoint'],
    fallback: "the region's",
    means: 'of [another implementation](compatibility.md); HTTP/1.1 is enough here, and not for the consumer',
  },
  {
    keys: ['stream.request_timeout'],
    fallback: '`30s`',
    means:
      'an unanswered request is abandoned after this time and its records are resent; other requests are unaffected',
  },
  { keys: ['inputs'], fallback: '', means: 'required: a list of at least one input' },
  {
    keys: ['compression'],
    fallback: '`gzip`',
    means:
      "or `zstd` at level 1; without a level gzip is the agent's own encoder, with one zlib's: `{ codec: gzip, level: 6 }`",
  },
  { keys: ['lanes'], fallback: '`1`', means: 'lanes that a run starts with, 1 to 64' },
  { keys: ['send.request_size'], fallback: '`5MiB`', means: 'size of one PutRecords request, up to `10MiB`' },
  { keys: ['send.requests_in_flight'], fallback: '`3`', means: 'PutRecords requests at once, 1 to 32' },
  {
    keys: ['send.gather'],
    fallback: '`100ms`',
    means: 'how long small chunks, cut early for a waiting client, gather in one record',
  },
  { keys: ['send.max_bytes_per_second'], fallback: 'none', means: 'rate limit, in bytes per second' },
  { keys: ['seal.interval'], fallback: '`1s`', means: 'time between cuts under load' },
  {
    keys: ['seal.idle_interval'],
    fallback: '`5s`',
    means: 'the same when little arrives and no client waits',
  },
  {
    keys: ['seal.ack_interval'],
    fallback: '`0ms`',
    means:
      'how long an ack may wait for others to share its cut; at `0ms`, only while another cut is under way',
  },
  {
    keys: ['seal.watermark_interval'],
    fallback: '`5m`',
    means:
      'how often the agent says how far it has read, in a chunk of about 150 bytes without events; hours of the archive close by it',
  },
  {
    keys: ['spool.max_size'],
    fallback: '`1GiB`',
    means: 'at this size, or at 400,000 unsent chunks, inputs are paused; nothing is dropped',
  },
  {
    keys: ['spool.segment_size'],
    fallback: '`16MiB`',
    means:
      'after so many bytes, and three times those of the state that a segment begins with, a new segment file is started',
  },
  {
    keys: ['spill.bucket'],
    fallback: 'none',
    means: 'bucket that receives whatever a flush could not send by its deadline',
  },
  { keys: ['spill.prefix'], fallback: '`spill/`', means: 'before the keys of its objects' },
  {
    keys: ['spill.region', 'spill.endpoint'],
    fallback: "the stream's region, AWS",
    means: 'where that bucket is',
  },
  {
    keys: ['spill.dedupe_horizon'],
    fallback: '`90d`',
    means: "the consumers' `dedupe_horizon`; set both to the same value",
  },
  {
    keys: ['instance.watch'],
    fallback: '`auto`',
    means: "`auto`: on if EC2's metadata service responds to the first polls; `on`, `off`",
  },
  {
    keys: ['instance.lifecycle', 'instance.spot', 'instance.rebalance'],
    fallback: '`true`',
    means: 'which notices to watch for',
  },
  { keys: ['instance.interval'], fallback: '`5s`', means: 'how often the metadata service is asked' },
  { keys: ['instance.endpoint'], fallback: "EC2's", means: 'address of the metadata service' },
  { keys: ['max_tags'], fallback: '`1000`', means: 'events of further tags go to `_other` and are counted' },
  {
    keys: ['max_past', 'max_future'],
    fallback: '`30d`, `1d`',
    means: 'events with times further away are kept under their hour of arrival and are counted',
  },
  {
    keys: ['http.listen'],
    fallback: 'off',
    means: 'address of /health, /metrics and /status, e.g. `127.0.0.1:24280`',
  },
  {
    keys: ['emf.namespace', 'emf.interval', 'emf.address'],
    fallback: 'off; `tailrace`, `1m`, `127.0.0.1:25888`',
    means: 'CloudWatch metrics in the embedded metric format, by UDP to the CloudWatch agent',
  },
  {
    keys: ['stop_timeout'],
    fallback: '`60s`',
    means: "how long a stop by SIGTERM may take; less than systemd's `TimeoutStopSec`",
  },
  { keys: ['log_level'], fallback: '`info`', means: '`trace`, `debug`, `info`, `warn`, `error`' },
  { keys: ['log_file'], fallback: 'standard error', means: "the agent's own log; reopened on SIGHUP" },
];

/** consumer.yaml, but for `kcl`. */
export const CONSUMER_OPTIONS: readonly Option[] = [
  { keys: ['stream.name', 'stream.region'], fallback: '', means: 'required' },
  {
    keys: ['stream.arn'],
    fallback: 'none',
    means:
      "ARN of a stream in another account, whose resource policy must allow this worker's role; `name` and `region` are still required",
  },
  {
    keys: ['stream.endpoint', 'dynamodb.endpoint'],
    fallback: 'AWS',
    means: "URLs of [other implementations](compatibility.md); the stream's must speak HTTP/2",
  },
  { keys: ['archive.bucket'], fallback: '', means: 'required' },
  { keys: ['archive.prefix'], fallback: 'empty', means: 'prefix of all keys; ends in `/`' },
  {
    keys: ['archive.region', 'archive.endpoint'],
    fallback: "the stream's region, AWS",
    means:
      'with an endpoint, the bucket is part of the path; [its conditional writes must be atomic](compatibility.md#what-a-service-must-do)',
  },
  {
    keys: ['archive.key_template'],
    fallback: '`logs/tag={tag}/dt={dt}/hour={hour}/{name}`',
    means: 'see [archive-format.md](archive-format.md#keys)',
  },
  {
    keys: ['archive.storage_class'],
    fallback: "the bucket's",
    means: 'storage class of data objects; commits stay in the standard class',
  },
  {
    keys: ['archive.encryption'],
    fallback: "the bucket's setting",
    means:
      '`AES256`, `aws:kms` or `aws:kms:dsse`: the header that each write carries, for a bucket whose policy asks for it; with `kms_key` it is `aws:kms`',
  },
  {
    keys: ['archive.kms_key'],
    fallback: "the bucket's setting",
    means: 'SSE-KMS with this key and a bucket key',
  },
  { keys: ['archive.tags'], fallback: 'none', means: 'object tags' },
  {
    keys: ['application'],
    fallback: '`tailrace`',
    means:
      "name of the KCL application and of its lease table. Two applications may write to one archive: each follows the other's commits",
  },
  {
    keys: ['worker_id'],
    fallback: "the host's name",
    means:
      'must be unique among live workers and the same after a restart: under another id, a restarted worker waits until its old leases expire',
  },
  {
    keys: ['batch.max_bytes'],
    fallback: '`32MiB`',
    means: 'a batch is written when its records reach this size …',
  },
  { keys: ['batch.max_age'], fallback: '`300s`', means: '… or when its first record is this old' },
  {
    keys: ['batch.memory'],
    fallback: '`256MiB`',
    means:
      'memory for the batches of all shards of this worker: each may have `max_bytes` while they all fit, and an equal share when they do not',
  },
  {
    keys: ['dedupe_horizon'],
    fallback: '`90d`',
    means:
      'a lane that has been idle for this long is forgotten; must be longer than any spool, spill or dead-letter queue lives. Agents with a spill bucket need the same value in `spill.dedupe_horizon`; `verify` reads it from this file (`-c`) or takes `--dedupe-horizon`',
  },
  { keys: ['java.command'], fallback: '`java`', means: 'Java 17 or later' },
  {
    keys: ['java.heap'],
    fallback: 'half of the memory',
    means: "of the KCL's daemon; 256 MiB to 16 GiB unless given",
  },
  {
    keys: ['java.options'],
    fallback: 'none',
    means:
      "further options of the KCL's JVM, such as `['-Djavax.net.ssl.trustStore=/etc/tailrace/ca.p12']`; the last of two that contradict each other counts",
  },
  {
    keys: ['java.jars'],
    fallback: "the package's or what set-up fetched",
    means: "folder of the KCL's jars",
  },
  {
    keys: ['restart.backoff', 'restart.max_backoff'],
    fallback: '`1s`, `60s`',
    means: 'wait before the daemon is restarted',
  },
  {
    keys: ['restart.give_up_after', 'restart.healthy_after'],
    fallback: '`10`, `2m`',
    means:
      'consecutive deaths of the daemon after which the worker exits with 1; a daemon that lives for `healthy_after` resets the count',
  },
  {
    keys: ['stop_timeout'],
    fallback: '`60s`',
    means: 'time for a stop, after which the daemon is killed (exit code 4); nothing is lost by that',
  },
  {
    keys: ['stuck_after'],
    fallback: '`5m`',
    means:
      'a shard that spends this long in one call, or this long without a call from KCL, is reported as stuck',
  },
  {
    keys: ['unread_after'],
    fallback: '`3m`',
    means: 'an open shard that no worker has read for this long is a fault',
  },
  { keys: ['http.listen'], fallback: '`127.0.0.1:24281`', means: '`/health`, `/metrics`, `/status`' },
  { keys: ['log_level'], fallback: '`info`', means: '`debug`, `info`, `warn`, `error`' },
];

/** The `kcl` section of consumer.yaml. */
export const KCL_OPTIONS: readonly Option[] = [
  {
    keys: ['kcl.retrieval'],
    fallback: '`polling`',
    property: 'retrievalMode',
    means: 'or `fan_out`: enhanced fan-out',
  },
  {
    keys: ['kcl.failover_time'],
    fallback: '`10s`',
    property: 'failoverTimeMillis',
    means: 'a lease that is not renewed for this long is free',
  },
  {
    keys: ['kcl.shard_sync_interval'],
    fallback: '`60s`',
    property: 'shardSyncIntervalMillis',
    means: 'how often KCL looks for new shards',
  },
  {
    keys: ['kcl.parent_poll_interval'],
    fallback: '`10s`',
    property: 'parentShardPollIntervalMillis',
    means: 'how often a child checks whether its parents are done',
  },
  {
    keys: ['kcl.idle_between_reads'],
    fallback: '`1s`',
    property: 'idleTimeBetweenReadsInMillis',
    means: 'wait between reads of a shard; KCL raises anything below 200 ms to 200 ms',
  },
  {
    keys: ['kcl.max_records'],
    fallback: '`10000`',
    property: 'maxRecords',
    means: 'records per read, at most 10,000',
  },
  {
    keys: ['kcl.max_leases'],
    fallback: 'all',
    property: 'maxLeasesForWorker',
    means: 'most shards that this worker takes',
  },
  {
    keys: ['kcl.lease_assignment_interval'],
    fallback: '`10s`',
    property: 'leaseAssignmentIntervalMillis',
    means: 'how often the leader distributes the leases',
  },
  {
    keys: ['kcl.graceful_handoff'],
    fallback: '`false`',
    property: 'isGracefulLeaseHandoffEnabled',
    means:
      'whether the old owner of a lease commits and checkpoints before it moves; [why not](decisions/no-graceful-handoff.md)',
  },
  {
    keys: ['kcl.shutdown_grace'],
    fallback: '`30s`',
    property: 'shutdownGraceMillis',
    means: 'time for the last commits at a stop; at 0 the shards are not asked to finish',
  },
  {
    keys: ['kcl.worker_metrics_interval'],
    fallback: '`30s`',
    property: 'workerMetricsReporterFreqInMillis',
    means: 'how often a worker reports its load to the others',
  },
  {
    keys: ['kcl.worker_metrics_sample'],
    fallback: '`10s`',
    property: 'inMemoryWorkerMetricsCaptureFrequencyMillis',
    means: 'how often it measures its load',
  },
  {
    keys: ['kcl.cloudwatch_metrics'],
    fallback: '`none`',
    property: 'metricsLevel',
    means: "KCL's own metrics: `none`, `summary`, `detailed`",
  },
  {
    keys: ['kcl.credentials_provider'],
    fallback: '`DefaultCredentialsProvider`',
    property: 'AwsCredentialsProvider',
    means: 'credentials provider: a class of the AWS SDK for Java 2',
  },
];

/** The properties file of the MultiLangDaemon, rendered from our configuration. */
import type { ConsumerConfig, KclConfig } from '../config.ts';

/**
 * Our key under `kcl`, the property that it becomes, and what the property means. Durations are milliseconds on
 * KCL's side. KCL ignores properties that it does not know: a name here that it stops reading does nothing.
 */
export const KCL_PROPERTIES: readonly {
  readonly key: keyof KclConfig;
  readonly property: string;
  readonly about: string;
}[] = [
  {
    key: 'retrieval',
    property: 'retrievalMode',
    about: 'polling, or enhanced fan-out (2 MB/s per shard of its own)',
  },
  {
    key: 'failover_time',
    property: 'failoverTimeMillis',
    about: 'a lease not renewed for so long is taken over',
  },
  {
    key: 'shard_sync_interval',
    property: 'shardSyncIntervalMillis',
    about: 'how often new shards are looked for',
  },
  {
    key: 'parent_poll_interval',
    property: 'parentShardPollIntervalMillis',
    about: 'how often a child looks whether its parents are done',
  },
  {
    key: 'idle_between_reads',
    property: 'idleTimeBetweenReadsInMillis',
    about: 'the wait between two reads of a shard; KCL raises less than 200 ms to 200 ms',
  },
  { key: 'max_records', property: 'maxRecords', about: 'records a read, 10,000 at most' },
  { key: 'max_leases', property: 'maxLeasesForWorker', about: 'shards that this worker takes at most' },
  {
    key: 'lease_assignment_interval',
    property: 'leaseAssignmentIntervalMillis',
    about: 'how often the leader distributes the leases',
  },
  {
    key: 'graceful_handoff',
    property: 'isGracefulLeaseHandoffEnabled',
    about: 'a lease that moves is committed and checkpointed before',
  },
  {
    key: 'shutdown_grace',
    property: 'shutdownGraceMillis',
    about: 'the time for the last commits at a stop; with none, shards are not asked to finish at all',
  },
  {
    key: 'worker_metrics_interval',
    property: 'workerMetricsReporterFreqInMillis',
    about: 'how often a worker reports its load to the others',
  },
  {
    key: 'worker_metrics_sample',
    property: 'inMemoryWorkerMetricsCaptureFrequencyMillis',
    about: 'how often it samples its load',
  },
  { key: 'cloudwatch_metrics', property: 'metricsLevel', about: "KCL's own metrics in CloudWatch" },
  {
    key: 'credentials_provider',
    property: 'AwsCredentialsProvider',
    about: 'a credentials provider class of the AWS SDK for Java 2',
  },
];

const VALUES: Readonly<Record<string, string>> = { fan_out: 'FANOUT' };

/** The text of the file. `executable` is split at blanks by KCL. */
export function renderProperties(config: ConsumerConfig, executable: string): string {
  const properties: [string, string | undefined][] = [
    ['executableName', executable],
    ['processingLanguage', `nodejs/${process.versions.node.split('.')[0]}`],
    ['streamName', config.stream.name],
    ['streamArn', config.stream.arn],
    ['applicationName', config.application],
    ['workerId', config.worker_id],
    ['regionName', config.stream.region],
    ['kinesisEndpoint', config.stream.endpoint],
    ['dynamoDBEndpoint', config.dynamodb.endpoint],
    // The commit log knows what is archived; a worker without a checkpoint must see all that the stream still has.
    ['initialPositionInStream', 'TRIM_HORIZON'],
    // The ticks that let a batch become due by age while nothing comes in.
    ['callProcessRecordsEvenForEmptyRecordList', 'true'],
    // Unless the sync is skipped, KCL drops an aggregate of the KPL whole when one of its user records has a key outside
    // the shard's range. The launcher creates the leases that the skipped sync would have created.
    ['skipShardSyncAtWorkerInitializationIfLeasesExist', 'true'],
  ];
  for (const { key, property } of KCL_PROPERTIES) {
    const value = config.kcl[key];
    const text = typeof value === 'string' && key !== 'credentials_provider' ? value.toUpperCase() : value;
    properties.push([property, text === undefined ? undefined : (VALUES[String(value)] ?? String(text))]);
  }
  const lines = properties.flatMap(([name, value]) =>
    value === undefined ? [] : `${name} = ${escapeValue(value)}\n`,
  );
  return lines.join('');
}

/** A value as java.util.Properties reads it back. */
function escapeValue(value: string): string {
  return value
    .replace(/\\/g, '\\\\')
    .replace(/\t/g, '\\t')
    .replace(/[\r\n]/g, ' ')
    .replace(/[^ -~\\]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Metrics in the embedded metric format: log lines out of which CloudWatch makes metrics, without a call. */
import { log } from './log.ts';

const NAMESPACE = 'Tailrace';

/** The metrics of the functions; alarms in infra/ go by these names. */
export type MetricName =
  | 'FlushesSent'
  | 'DrainSucceeded'
  | 'DrainFailed'
  | 'InstancesWaiting'
  | 'InstancesRetained'
  | 'RetainedReleased'
  | 'GroupsNotRetaining'
  | 'GroupsMissing'
  | 'WatchRuns'
  | 'ReadmittedChunks'
  | 'ReadmittedBytes'
  | 'ReadmittedObjects'
  | 'ReadmitDamagedBytes'
  | 'ReadmitFailed'
  | 'OpenShards'
  | 'ShardUpdates'
  | 'ArchiveAge'
  | 'ArchiveCommits'
  | 'ArchivedChunks'
  | 'ArchivedEvents'
  | 'ArchivedBytes'
  | 'ArchiveDuplicates'
  | 'ArchiveForeign'
  | 'ArchiveDamaged'
  | 'ArchiveVoided';

/** Values of several metrics, written together. */
export type MetricValues = Partial<Record<MetricName, number>>;

const UNITS: Partial<Record<MetricName, 'Bytes' | 'Milliseconds'>> = {
  ArchivedBytes: 'Bytes',
  ArchiveAge: 'Milliseconds',
};

/**
 * Writes one value. The stack's name is the only dimension.
 *
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function count(name: MetricName, value = 1, unit: 'Count' | 'Bytes' = 'Count'): void {
  log.info({
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        { Namespace: NAMESPACE, Dimensions: [['Stack']], Metrics: [{ Name: name, Unit: unit }] },
      ],
    },
    Stack: process.env['STACK'] ?? 'tailrace',
    [name]: value,
  });
}

/** Writes several values as one line. */
export function emit(values: MetricValues): void {
  const names = Object.keys(values) as MetricName[];
  const Metrics = names.map((Name) => ({ Name, Unit: UNITS[Name] ?? 'Count' }));
  log.info({
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [['Stack']], Metrics }],
    },
    Stack: process.env['STACK'] ?? 'tailrace',
    ...values,
  });
}

/** Metrics in the embedded metric format: one log line per call, which CloudWatch turns into metrics without an API call. */
import { log } from './log.ts';

const NAMESPACE = 'Tailrace';

/** The metrics of the functions, by what writes them; alarms in infra/ go by these names, and each is charged by the month. */
export const METRICS = {
  drain: [
    'FlushesSent',
    'DrainSucceeded',
    'DrainFailed',
    'DrainBlocked',
    'InstancesWaiting',
    'InstancesRetained',
    'InstancesGone',
    'RetainedReleased',
    'GroupsNotRetaining',
    'GroupsMissing',
    'WatchRuns',
  ],
  readmit: [
    'ReadmittedChunks',
    'ReadmittedBytes',
    'ReadmittedObjects',
    'ReadmitDamagedBytes',
    'ReadmitFailed',
  ],
  scale: ['OpenShards', 'ShardsWanted', 'ShardUpdates', 'ShardsAtLimit', 'ShardChangesLeft'],
  archive: ['ArchiveAge', 'ArchivedEvents', 'ArchivedBytes', 'ArchiveVoided'],
} as const;

export type MetricName = (typeof METRICS)[keyof typeof METRICS][number];

/**
 * What a month without trouble has none of. At 0 they are not written: a metric is charged when it is sent, and their
 * alarms take what is missing for 0.
 */
export const TROUBLES: ReadonlySet<MetricName> = new Set<MetricName>([
  'DrainFailed',
  'DrainBlocked',
  'InstancesRetained',
  'InstancesGone',
  'RetainedReleased',
  'GroupsNotRetaining',
  'GroupsMissing',
  ...METRICS.readmit,
  'ShardsAtLimit',
  'ArchiveVoided',
]);

/** Values of several metrics, written together. */
export type MetricValues = Partial<Record<MetricName, number>>;

const UNITS: Partial<Record<MetricName, 'Bytes' | 'Milliseconds'>> = {
  ReadmittedBytes: 'Bytes',
  ReadmitDamagedBytes: 'Bytes',
  ArchivedBytes: 'Bytes',
  ArchiveAge: 'Milliseconds',
};

/**
 * Writes several values as one line. The stack's name is the only dimension.
 *
 * @param details further numbers of the line, which no metric is made of: each metric is charged by the month
 *
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function emit(values: MetricValues, details: Readonly<Record<string, number>> = {}): void {
  const names = (Object.keys(values) as MetricName[]).filter(
    (name) => values[name] !== 0 || !TROUBLES.has(name),
  );
  const Metrics = names.map((Name) => ({ Name, Unit: UNITS[Name] ?? 'Count' }));
  log.info({
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [['Stack']], Metrics }],
    },
    Stack: process.env['STACK'] ?? 'tailrace',
    ...values,
    ...details,
  });
}

/** What one call of a function measured, written at its end. */
export class Measures {
  #values: Partial<Record<MetricName, number>> = {};

  /** Adds to a metric; one that stays at 0 is written, too, unless it is a trouble. */
  add(name: MetricName, value = 1): void {
    this.#values[name] = (this.#values[name] ?? 0) + value;
  }

  /** Writes all values as one line and forgets them. */
  write(): void {
    if (Object.keys(this.#values).length > 0) emit(this.#values);
    this.#values = {};
  }
}

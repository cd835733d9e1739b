/** How many metrics the stack has and alarms on: counted in the functions' code, the web servers' user data and infra/. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { METRICS, type MetricName, TROUBLES } from '../../functions/runtime/metrics.ts';

const INFRA = join(import.meta.dirname, '..', '..', 'infra');

type Archiver = 'worker' | 'function';

/** Files of the stack that have alarms. */
const FILES: Readonly<Record<Archiver, readonly string[]>> = {
  worker: ['alarms.yml', 'drain.yml', 'readmit.yml', 'scale.yml', 'worker.yml'],
  function: ['alarms.yml', 'drain.yml', 'readmit.yml', 'scale.yml', 'function.yml'],
};

/** Whether the shard count is kept by a function, by default. */
function keepsShards(archiver: Archiver): boolean {
  const defaults = parse(readFileSync(join(INFRA, 'archivers.yml'), 'utf8')) as Record<
    Archiver,
    { keepShards: string }
  >;
  return defaults[archiver].keepShards === 'true';
}

/** Custom metrics that a month without trouble sends: each is charged by the month. */
export function customMetrics(archiver: Archiver, hasKeeper = keepsShards(archiver)): number {
  const { drain, scale, archive } = METRICS;
  const usual = (names: readonly MetricName[]): number => names.filter((name) => !TROUBLES.has(name)).length;
  const put = (script: string): number =>
    readFileSync(join(INFRA, 'scripts', script), 'utf8').match(/^put [A-Z]\w+ /gm)!.length;
  return (
    usual(drain) +
    (hasKeeper ? usual(scale) : 0) +
    (archiver === 'function' ? usual(archive) : 0) +
    (archiver === 'worker' ? put('worker.sh') : 0) +
    put('web.sh')
  );
}

interface Alarm {
  readonly Type: string;
  readonly Condition?: string;
  readonly Properties: { readonly Metrics?: readonly { readonly MetricStat?: object }[] };
}

/** Metrics of all alarms: one that computes is charged for each metric that it computes with. */
export function alarmedMetrics(archiver: Archiver, hasKeeper = keepsShards(archiver)): number {
  const alarms = FILES[archiver]
    .map((file) => parse(readFileSync(join(INFRA, file), 'utf8'), { merge: true }) as { Resources: object })
    .flatMap(({ Resources }) => Object.values(Resources) as Alarm[])
    .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
    .filter(({ Condition }) => Condition !== 'KeepsShards' || hasKeeper);
  return alarms
    .map(({ Properties: { Metrics } }) => Metrics?.filter(({ MetricStat }) => MetricStat).length ?? 1)
    .reduce((sum, metrics) => sum + metrics, 0);
}

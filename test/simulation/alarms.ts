/** CloudWatch's alarms of the template on what the functions measured: which were in ALARM at some time. */
import { SECOND } from './clock.ts';
import type { MetricValue } from './lambda.ts';
import type { Properties, Template } from './template.ts';

/** What the worker measures, of which there is none here. */
const WORKER = 'WorkerFaults';

export function alarmsRaised(
  template: Template,
  metrics: readonly MetricValue[],
  from: number,
  to: number,
): Set<string> {
  const raised = new Set<string>();
  for (const { id, properties: alarm } of template.all('AWS::CloudWatch::Alarm')) {
    if (alarm['Namespace'] !== 'Tailrace' || alarm['MetricName'] === WORKER) continue;
    const period = alarm['Period'] * SECOND;
    // Whole periods alone: one that has only begun would count as missing.
    let breaching = 0;
    for (let start = Math.ceil(from / period) * period; start + period <= to; start += period) {
      const values = metrics
        .filter(({ name, at }) => name === alarm['MetricName'] && at >= start && at < start + period)
        .map(({ value }) => value);
      breaching = breaches(alarm, values) ? breaching + 1 : 0;
      if (breaching >= alarm['EvaluationPeriods']) raised.add(id);
    }
  }
  return raised;
}

function breaches(alarm: Properties, values: readonly number[]): boolean {
  if (values.length === 0) return alarm['TreatMissingData'] === 'breaching';
  const value = alarm['Statistic'] === 'Sum' ? values.reduce((a, b) => a + b, 0) : Math.max(...values);
  return alarm['ComparisonOperator'] === 'GreaterThanThreshold'
    ? value > alarm['Threshold']
    : value < alarm['Threshold'];
}

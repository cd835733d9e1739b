/** EventBridge: events to the functions whose rules match, schedules; both by the template, with planned faults. */
import { MINUTE, SECOND, type SimulatedClock } from './clock.ts';
import type { Lambda } from './lambda.ts';
import type { Properties, Template } from './template.ts';

type Event = Properties;

/** Whether an event pattern matches an event; the operators that the template uses. */
export function matchesPattern(pattern: Event, event: Event): boolean {
  return Object.entries(pattern).every(([key, wanted]) => {
    const actual = event[key];
    if (Array.isArray(wanted)) return wanted.includes(actual);
    return typeof actual === 'object' && actual !== null && matchesPattern(wanted, actual);
  });
}

export class EventBridge {
  /** Seconds after which each delivery of an event happens: none is lost, two are a repeat. */
  deliveries: (event: Event) => readonly number[] = () => [1];
  /** Whether the watch runs at this minute. */
  scheduled: () => boolean = () => true;
  readonly #template: Template;
  readonly #clock: SimulatedClock;
  readonly #lambda: Lambda;

  constructor(template: Template, clock: SimulatedClock, lambda: Lambda) {
    this.#template = template;
    this.#clock = clock;
    this.#lambda = lambda;
  }

  emit(event: Event): void {
    for (const { id, properties } of this.#template.all('AWS::Events::Rule')) {
      const pattern = properties['EventPattern'] as Event | undefined;
      if (!pattern || !matchesPattern(pattern, event)) continue;
      for (const target of this.#targets(id, properties)) {
        for (const seconds of this.deliveries(event)) {
          this.#clock.after(seconds * SECOND, () => this.#lambda.invokeAsync(target, event));
        }
      }
    }
  }

  startSchedules(only: (functionId: string) => boolean): void {
    for (const { id, properties } of this.#template.all('AWS::Events::Rule')) {
      const [, minutes] = /^rate\((\d+) minutes?\)$/.exec(properties['ScheduleExpression'] ?? '') ?? [];
      if (minutes === undefined) continue;
      for (const target of this.#targets(id, properties).filter(only)) {
        this.#clock.every(Number(minutes) * MINUTE, async () => {
          if (this.scheduled()) await this.#lambda.invokeAsync(target, { source: 'aws.events' });
        });
      }
    }
  }

  /** The functions that a rule may call; a rule without a permission calls nothing. */
  #targets(rule: string, properties: Properties): string[] {
    const arn = this.#template.resolve({ 'Fn::GetAtt': [rule, 'Arn'] });
    return (properties['Targets'] as { Arn: string }[]).flatMap(({ Arn }) => {
      const target = this.#template
        .all('AWS::Lambda::Function')
        .find(({ id }) => this.#template.resolve({ 'Fn::GetAtt': [id, 'Arn'] }) === Arn);
      const permitted = this.#template
        .all('AWS::Lambda::Permission')
        .some(
          ({ properties: p }) =>
            p['SourceArn'] === arn &&
            p['Principal'] === 'events.amazonaws.com' &&
            p['FunctionName'] === target?.properties['FunctionName'],
        );
      return target && permitted ? [target.id] : [];
    });
  }
}

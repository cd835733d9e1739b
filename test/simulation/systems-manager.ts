/** Systems Manager's Run Command: checks as the service does, and runs the document's own script on the instance. */
import { randomUUID } from 'node:crypto';
import { ServiceError } from './auto-scaling.ts';
import { SECOND, type SimulatedClock } from './clock.ts';
import { ACCOUNT, type Properties, REGION, type Template } from './template.ts';

/** What runs scripts: an instance's own agent of Systems Manager. */
export interface ManagedInstance {
  /** Whether Systems Manager knows it. */
  managed: boolean;
  /** Whether its agent answers. */
  online: boolean;
  /** Milliseconds of simulated time that its next script takes. */
  duration(): number;
  /** Starts the script; resolves with its exit code. */
  run(script: string): { readonly exit: Promise<number>; readonly kill: () => void };
}

export interface SentCommand {
  readonly CommandId: string;
  readonly InstanceIds: string[];
  readonly DocumentName: string;
  readonly Comment: string;
  readonly Parameters: Record<string, string[]>;
  readonly RequestedDateTime: number;
  Status: string;
  StatusDetails: string;
}

export class SystemsManager {
  readonly commands: SentCommand[] = [];
  /** Milliseconds by which lists lag behind. */
  lag = 0;
  readonly #template: Template;
  readonly #clock: SimulatedClock;
  readonly #instances: ReadonlyMap<string, ManagedInstance>;
  readonly #emit: (event: Record<string, unknown>) => void;

  constructor(
    template: Template,
    clock: SimulatedClock,
    instances: ReadonlyMap<string, ManagedInstance>,
    emit: (event: Record<string, unknown>) => void,
  ) {
    this.#template = template;
    this.#clock = clock;
    this.#instances = instances;
    this.#emit = emit;
  }

  list(input: Properties): { Commands: SentCommand[]; NextToken?: string } {
    const { CommandId, MaxResults = 50, NextToken = '0' } = input;
    const filters = (input['Filters'] ?? []) as { key: string; value: string }[];
    const filter = (key: string) => filters.find((one) => one.key === key)?.value;
    if (filters.some(({ key }) => !['DocumentName', 'InvokedAfter'].includes(key))) {
      throw new ServiceError('InvalidFilterKey', 'the simulation knows DocumentName and InvokedAfter');
    }
    const after = filter('InvokedAfter');
    if (after !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(after)) {
      throw new ServiceError('ValidationException', `not a time: ${after}`);
    }
    const visible = this.commands.filter(
      ({ RequestedDateTime }) => RequestedDateTime * SECOND <= this.#clock.now - this.lag,
    );
    const found =
      CommandId === undefined
        ? visible.filter(
            ({ DocumentName, RequestedDateTime }) =>
              DocumentName === filter('DocumentName') &&
              RequestedDateTime * SECOND >= Date.parse(after ?? '1970-01-01T00:00:00Z'),
          )
        : visible.filter((command) => command.CommandId === CommandId);
    const end = Number(NextToken) + Number(MaxResults);
    return {
      Commands: found.slice(Number(NextToken), end),
      ...(end < found.length ? { NextToken: String(end) } : {}),
    };
  }

  send(input: Properties): SentCommand {
    const document = this.#template
      .all('AWS::SSM::Document')
      .find(({ id }) => `${this.#template.stackName}-${id}` === input['DocumentName']);
    if (!document) throw new ServiceError('InvalidDocument', `no document ${input['DocumentName']}`);
    const { Comment = '', InstanceIds, TimeoutSeconds = 3600, Parameters = {} } = input;
    if (Comment.length > 100) throw new ServiceError('ValidationException', 'Comment is longer than 100');
    if (TimeoutSeconds < 30 || TimeoutSeconds > 2_592_000) {
      throw new ServiceError('ValidationException', `TimeoutSeconds is ${TimeoutSeconds}`);
    }
    const { parameters, mainSteps } = document.properties['Content'] as Properties;
    for (const name of new Set([...Object.keys(parameters), ...Object.keys(Parameters)])) {
      const pattern = new RegExp(parameters[name]?.allowedPattern ?? '^$');
      if (!parameters[name] || Parameters[name]?.length !== 1 || !pattern.test(Parameters[name][0])) {
        throw new ServiceError('InvalidParameters', `parameter ${name}`);
      }
    }
    const [id] = InstanceIds as [string];
    const instance = this.#instances.get(id);
    if (!instance?.managed)
      throw new ServiceError('InvalidInstanceId', `Instances [[${id}]] not in a valid state`);
    const command: SentCommand = {
      CommandId: randomUUID(),
      InstanceIds,
      DocumentName: input['DocumentName'],
      Comment,
      Parameters,
      RequestedDateTime: Math.floor(this.#clock.now / SECOND),
      Status: 'Pending',
      StatusDetails: 'Pending',
    };
    this.commands.push(command);
    const { timeoutSeconds, runCommand } = mainSteps[0].inputs;
    const execution = Number(timeoutSeconds) * SECOND;
    if (!instance.online) {
      // An agent that is offline is reported only when both limits are over.
      this.#clock.after(TimeoutSeconds * SECOND + execution, () =>
        this.#end(command, 'TimedOut', 'DeliveryTimedOut'),
      );
      return command;
    }
    const script = (runCommand as string[])
      .join('\n')
      .replace(/\{\{ ?(\w+) ?\}\}/g, (_, name: string) => Parameters[name]![0]);
    this.#clock.after(2 * SECOND, () => this.#execute(command, instance, script, execution));
    return command;
  }

  #execute(command: SentCommand, instance: ManagedInstance, script: string, limit: number): void {
    this.#status(command, 'InProgress', 'InProgress');
    const running = instance.run(script);
    const duration = instance.duration();
    if (duration > limit) {
      this.#clock.after(limit, async () => {
        running.kill();
        await running.exit;
        this.#end(command, 'TimedOut', 'ExecutionTimedOut');
      });
      return;
    }
    this.#clock.after(duration, async () => {
      const code = await running.exit;
      this.#end(command, code === 0 ? 'Success' : 'Failed', code === 0 ? 'Success' : 'Failed');
    });
  }

  #end(command: SentCommand, status: string, details: string): void {
    this.#status(command, status, details);
  }

  #status(command: SentCommand, status: string, details: string): void {
    command.Status = status;
    command.StatusDetails = details;
    this.#emit({
      version: '0',
      id: randomUUID(),
      'detail-type': 'EC2 Command Invocation Status-change Notification',
      source: 'aws.ssm',
      account: ACCOUNT,
      time: new Date(this.#clock.now).toISOString(),
      region: REGION,
      resources: [`arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${command.InstanceIds[0]}`],
      detail: {
        'command-id': command.CommandId,
        'document-name': command.DocumentName,
        'instance-id': command.InstanceIds[0],
        'requested-date-time': new Date(command.RequestedDateTime * SECOND).toISOString(),
        status,
      },
    });
  }
}

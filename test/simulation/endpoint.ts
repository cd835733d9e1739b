/** The endpoint that the functions' SDK clients talk to: protocols of the services, IAM before every call, faults. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AutoScaling, type ScaledInstance, ServiceError } from './auto-scaling.ts';
import type { Call, Iam } from './iam.ts';
import type { SystemsManager } from './systems-manager.ts';
import { ACCOUNT, type Properties, REGION } from './template.ts';

export interface Alert {
  readonly subject: string;
  readonly message: string;
}

/** What happens to a call: it fails with this error before or after it takes effect, or is never answered. */
export type CallFault =
  | { readonly kind: 'refuse'; readonly error: ServiceError }
  | { readonly kind: 'lose-answer' }
  | { readonly kind: 'hang' }
  | null;

export class Endpoint {
  readonly alerts: Alert[] = [];
  /** Every call that took effect: `Role Operation`. */
  readonly calls: string[] = [];
  onCall: (operation: string, role: string) => CallFault = () => null;
  readonly #server: Server;
  readonly #iam: Iam;
  readonly #autoScaling: AutoScaling;
  readonly #ssm: SystemsManager;

  constructor(iam: Iam, autoScaling: AutoScaling, ssm: SystemsManager) {
    this.#iam = iam;
    this.#autoScaling = autoScaling;
    this.#ssm = ssm;
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString();
    const target = request.headers['x-amz-target'];
    const form = target === undefined ? new URLSearchParams(body) : null;
    const operation = form?.get('Action') ?? String(target).split('.')[1]!;
    const [, role = ''] = /Credential=([^/]+)/.exec(String(request.headers.authorization)) ?? [];
    const fault = this.onCall(operation, role);
    if (fault?.kind === 'hang') return;
    try {
      if (fault?.kind === 'refuse') throw fault.error;
      const answer = form
        ? this.#query(operation, form, role)
        : this.#json(operation, JSON.parse(body), role);
      this.calls.push(`${role} ${operation}`);
      if (fault?.kind === 'lose-answer') {
        request.socket.destroy();
        return;
      }
      response.setHeader('content-type', form ? 'text/xml' : 'application/x-amz-json-1.1');
      if (operation === 'DescribeInstances') response.end(answer as string);
      else response.end(form ? wrap(operation, answer as string) : JSON.stringify(answer));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const { code, message, status } = error;
      response.writeHead(status, form ? {} : { 'x-amzn-errortype': code });
      response.end(
        operation === 'DescribeInstances'
          ? `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`
          : form
            ? `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`
            : JSON.stringify({ __type: code, message }),
      );
    }
  }

  #authorize(role: string, call: Call): void {
    if (!this.#iam.allows(role, call)) {
      throw new ServiceError('AccessDeniedException', `${role} may not ${call.action} on ${call.resource}`);
    }
  }

  #json(operation: string, input: Properties, role: string): unknown {
    switch (operation) {
      case 'ListCommands':
        this.#authorize(role, { action: 'ssm:ListCommands', resource: '*' });
        return this.#ssm.list(input);
      case 'SendCommand': {
        const document = `arn:aws:ssm:${REGION}:${ACCOUNT}:document/${input['DocumentName']}`;
        this.#authorize(role, { action: 'ssm:SendCommand', resource: document });
        const [id] = input['InstanceIds'] as [string];
        const tags = Object.entries(this.#autoScaling.tags(id));
        const context = Object.fromEntries(tags.map(([key, value]) => [`ssm:resourceTag/${key}`, value]));
        const resource = `arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${id}`;
        this.#authorize(role, { action: 'ssm:SendCommand', resource, context });
        return { Command: this.#ssm.send(input) };
      }
      default:
        throw new ServiceError('UnknownOperationException', operation);
    }
  }

  #query(operation: string, form: URLSearchParams, role: string): string {
    const value = (name: string): string => form.get(name) ?? '';
    const group = value('AutoScalingGroupName');
    const arn = (name: string) =>
      `arn:aws:autoscaling:${REGION}:${ACCOUNT}:autoScalingGroup:uuid:autoScalingGroupName/${name}`;
    switch (operation) {
      case 'CompleteLifecycleAction':
        this.#authorize(role, { action: `autoscaling:${operation}`, resource: arn(group) });
        this.#autoScaling.complete(
          group,
          value('LifecycleHookName'),
          value('InstanceId'),
          value('LifecycleActionToken'),
          value('LifecycleActionResult'),
        );
        return '';
      case 'RecordLifecycleActionHeartbeat':
        this.#authorize(role, { action: `autoscaling:${operation}`, resource: arn(group) });
        this.#autoScaling.heartbeat(
          group,
          value('LifecycleHookName'),
          value('InstanceId'),
          value('LifecycleActionToken'),
        );
        return '';
      case 'TerminateInstanceInAutoScalingGroup': {
        const instance = value('InstanceId');
        const its = this.#autoScaling.instances.get(instance)?.group ?? '';
        this.#authorize(role, { action: `autoscaling:${operation}`, resource: arn(its) });
        this.#autoScaling.terminate(instance, value('ShouldDecrementDesiredCapacity') === 'true');
        return '';
      }
      case 'DescribeInstances':
        this.#authorize(role, { action: `ec2:${operation}`, resource: '*' });
        return this.#ec2(value('InstanceId.1'));
      default:
        return this.#describe(operation, form, role);
    }
  }

  #ec2(id: string): string {
    const instance = this.#autoScaling.instances.get(id);
    if (!instance)
      throw new ServiceError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
    const state = `<instanceState><name>${instance.ec2}</name></instanceState>`;
    return `<DescribeInstancesResponse><requestId>r</requestId><reservationSet><item><instancesSet><item><instanceId>${id}</instanceId>${state}</item></instancesSet></item></reservationSet></DescribeInstancesResponse>`;
  }

  #describe(operation: string, form: URLSearchParams, role: string): string {
    const value = (name: string): string => form.get(name) ?? '';
    const group = value('AutoScalingGroupName');
    if (operation.startsWith('Describe')) {
      this.#authorize(role, { action: `autoscaling:${operation}`, resource: '*' });
    }
    const from = Number(value('NextToken') || 0);
    switch (operation) {
      case 'DescribeAutoScalingGroups': {
        const names = [...form]
          .filter(([key]) => key.startsWith('AutoScalingGroupNames.'))
          .map(([, name]) => name);
        return `<AutoScalingGroups>${names.map((name) => this.#group(name)).join('')}</AutoScalingGroups>`;
      }
      case 'DescribeWarmPool': {
        const all = this.#autoScaling.members(group, true);
        const page = all.slice(from, from + 50).map(member);
        const next = from + 50 < all.length ? `<NextToken>${from + 50}</NextToken>` : '';
        return `<Instances>${page.join('')}</Instances>${next}`;
      }
      case 'DescribeLifecycleHooks': {
        const hooks = this.#autoScaling
          .hooks(group)
          .map(
            ({ LifecycleHookName: name, LifecycleTransition: transition }) =>
              `<member><LifecycleHookName>${name}</LifecycleHookName><LifecycleTransition>${transition}</LifecycleTransition></member>`,
          );
        return `<LifecycleHooks>${hooks.join('')}</LifecycleHooks>`;
      }
      case 'DescribeScalingActivities': {
        const { page, next } = this.#autoScaling.activities(group, Number(value('MaxRecords') || 100), from);
        const time = (tag: string, at: number | null): string =>
          at === null ? '' : `<${tag}>${new Date(at).toISOString()}</${tag}>`;
        const members = page.map(
          ({ id, description, start, end }) =>
            `<member><ActivityId>${id}</ActivityId><AutoScalingGroupName>${escaped(group)}</AutoScalingGroupName><Description>${description}</Description>${time('StartTime', start)}${time('EndTime', end)}<StatusCode>${end === null ? 'MidLifecycleAction' : 'Successful'}</StatusCode></member>`,
        );
        const token = next === null ? '' : `<NextToken>${next}</NextToken>`;
        return `<Activities>${members.join('')}</Activities>${token}`;
      }
      case 'Publish':
        this.#authorize(role, { action: 'sns:Publish', resource: value('TopicArn') });
        if (value('Subject').length > 100) throw new ServiceError('InvalidParameter', 'Subject');
        this.alerts.push({ subject: value('Subject'), message: value('Message') });
        return '<MessageId>m</MessageId>';
      default:
        throw new ServiceError('InvalidAction', operation);
    }
  }

  #group(name: string): string {
    const group = this.#autoScaling.groups.get(name);
    if (!group) return '';
    const members = this.#autoScaling.members(name, false).map(member);
    const trigger = group['InstanceLifecyclePolicy']?.RetentionTriggers?.TerminateHookAbandon ?? 'terminate';
    const warm = group['WarmPool']
      ? '<WarmPoolConfiguration><MinSize>1</MinSize></WarmPoolConfiguration>'
      : '';
    return `<member><AutoScalingGroupName>${escaped(name)}</AutoScalingGroupName>${warm}<InstanceLifecyclePolicy><RetentionTriggers><TerminateHookAbandon>${trigger}</TerminateHookAbandon></RetentionTriggers></InstanceLifecyclePolicy><Instances>${members.join('')}</Instances></member>`;
  }
}

function member({ id, state }: ScaledInstance): string {
  return `<member><InstanceId>${id}</InstanceId><LifecycleState>${state}</LifecycleState></member>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function wrap(operation: string, result: string): string {
  return `<${operation}Response><${operation}Result>${result}</${operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></${operation}Response>`;
}

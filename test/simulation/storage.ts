/** S3, Kinesis and CloudWatch as the functions around the stream call them, with IAM before each call. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AWS_ENV } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import type { Call, Iam } from './iam.ts';
import { ACCOUNT, REGION, type Template } from './template.ts';

interface StoredObject {
  readonly bytes: Buffer;
  tag: string | null;
  /** A tag of somebody else's. */
  label: string | null;
}

function tagsOf({ tag, label }: StoredObject): [name: string, value: string][] {
  return [
    ...(label === null ? [] : [['label', label] as [string, string]]),
    ...(tag === null ? [] : [['tailrace', tag] as [string, string]]),
  ];
}

/** The role that a call comes with: functions have theirs as their key, agents of web servers that of all tests. */
function roleOf(key: string): string {
  return key === AWS_ENV.AWS_ACCESS_KEY_ID ? 'WebRole' : key;
}

/** Refuses by IAM before the double takes anything; a stream that is not the template's own takes all. */
export async function startKinesis(iam: Iam, template: Template): Promise<KinesisDouble> {
  const kinesis = await KinesisDouble.start();
  if (!template.has('Stream')) return kinesis;
  const { properties } = template.all('AWS::Kinesis::Stream')[0]!;
  const resource = String(template.resolve({ 'Fn::GetAtt': ['Stream', 'Arn'] }));
  const key = properties['StreamEncryption'].KeyId as string;
  kinesis.onRequest = (operation, accessKey) => {
    const role = roleOf(accessKey);
    const calls: Call[] = [{ action: `kinesis:${operation}`, resource }];
    if (operation === 'PutRecords') {
      const context = { 'kms:ViaService': `kinesis.${REGION}.amazonaws.com` };
      calls.push({ action: 'kms:GenerateDataKey', resource: key, context });
    }
    return calls.every((call) => iam.allows(role, call))
      ? null
      : { status: 400, body: { __type: 'AccessDeniedException', message: `${role} may not ${operation}` } };
  };
  return kinesis;
}

/** One bucket, encrypted with the template's key: objects, and the tag that says what became of them. */
export class SpillBucket {
  readonly objects = new Map<string, StoredObject>();
  readonly name: string;
  readonly #key: string;
  readonly #iam: Iam;
  readonly #server: Server;

  constructor(iam: Iam, template: Template) {
    this.#iam = iam;
    const own = template.has('SpillBucket');
    this.name = own ? String(template.resolve({ Ref: 'SpillBucket' })) : 'none';
    this.#key = own ? String(template.resolve({ 'Fn::GetAtt': ['Key', 'Arn'] })) : 'none';
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

  put(key: string, bytes: Buffer): void {
    this.objects.set(key, { bytes, tag: null, label: null });
  }

  /** What S3 puts into the queue for an object. */
  notification(key: string): string {
    const object = { key: encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') };
    return JSON.stringify({
      Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: this.name }, object } }],
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const url = new URL(request.url!, 'http://s3');
    const [bucket, ...rest] = decodeURIComponent(url.pathname).slice(1).split('/');
    const key = rest.join('/');
    const [, accessKey = ''] = /Credential=([^/]+)/.exec(String(request.headers.authorization)) ?? [];
    const role = roleOf(accessKey);
    const tagging = url.searchParams.has('tagging');
    const verb = request.method === 'GET' ? 'Get' : 'Put';
    const operation = `s3:${verb}Object${tagging ? 'Tagging' : ''}`;
    const calls: Call[] = [{ action: operation, resource: `arn:aws:s3:::${bucket}/${key}` }];
    const context = { 'kms:ViaService': `s3.${REGION}.amazonaws.com` };
    if (operation === 's3:GetObject') calls.push({ action: 'kms:Decrypt', resource: this.#key, context });
    if (operation === 's3:PutObject')
      calls.push({ action: 'kms:GenerateDataKey', resource: this.#key, context });
    const object = this.objects.get(key);
    if (bucket !== this.name || !calls.every((call) => this.#iam.allows(role, call))) {
      response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
    } else if (operation === 's3:PutObject') {
      if (object) response.writeHead(412).end('<Error><Code>PreconditionFailed</Code></Error>');
      else {
        this.put(key, Buffer.concat(parts));
        response.end();
      }
    } else if (!object) {
      response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
    } else if (operation === 's3:GetObject') {
      // S3 reports the number of tags only to those who may read them.
      const resource = `arn:aws:s3:::${bucket}/${key}`;
      const tags = tagsOf(object);
      if (tags.length > 0 && this.#iam.allows(role, { action: 's3:GetObjectTagging', resource }))
        response.setHeader('x-amz-tagging-count', `${tags.length}`);
      response.end(object.bytes);
    } else if (operation === 's3:GetObjectTagging') {
      const set = tagsOf(object).map(
        ([name, value]) => `<Tag><Key>${name}</Key><Value>${value}</Value></Tag>`,
      );
      response.end(`<Tagging><TagSet>${set.join('')}</TagSet></Tagging>`);
    } else {
      const text = Buffer.concat(parts).toString();
      const given = (name: string) => new RegExp(`<Key>${name}</Key><Value>(\\w+)</Value>`).exec(text)?.[1];
      object.tag = given('tailrace')!;
      object.label = given('label') ?? null;
      response.end();
    }
  }
}

/** What the mapping of the queue calls by the function's role. */
export function pollQueue(iam: Iam, role: string): void {
  const resource = `arn:aws:sqs:${REGION}:${ACCOUNT}:SpillQueue`;
  for (const action of ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes']) {
    iam.allows(role, { action, resource });
  }
}

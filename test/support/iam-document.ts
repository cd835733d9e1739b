/** docs/iam.md from the roles of the templates: `npm run docs` writes it, a test compares it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { deployPolicy } from './iam-deploy.ts';

const ROOT = join(import.meta.dirname, '../..');
export const IAM_FILE = join(ROOT, 'docs/iam.md');

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

interface Role {
  readonly Properties: {
    readonly ManagedPolicyArns?: Json;
    readonly Policies: readonly { readonly PolicyDocument: { readonly Statement: readonly Json[] } }[];
  };
}

/** What stands for the parts of an ARN, in the page and in its examples. */
const NAMES: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'REGION',
  'AWS::AccountId': 'ACCOUNT',
  'AWS::StackName': 'APPLICATION',
  ArtifactsBucket: 'ARTIFACTS',
  ArtifactsPrefix: 'tailrace/',
  FlushDocument: 'FLUSH-DOCUMENT',
  AlertTopic: 'arn:aws:sns:REGION:ACCOUNT:TOPIC',
  'Stream.Arn': 'arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM',
  'Key.Arn': 'arn:aws:kms:REGION:ACCOUNT:key/KEY',
  'ArchiveBucket.Arn': 'arn:aws:s3:::ARCHIVE',
  'SpillBucket.Arn': 'arn:aws:s3:::SPILL',
  'SpillQueue.Arn': 'arn:aws:sqs:REGION:ACCOUNT:QUEUE',
};

const GROUPS = 'arn:aws:autoscaling:REGION:ACCOUNT:autoScalingGroup:*:autoScalingGroupName/GROUP';

function nameOf(name: string): string {
  const said = NAMES[name];
  if (said === undefined) throw new Error(`test/support/iam-document.ts has no word for ${name}`);
  return said;
}

/** A template's value with its functions resolved to the page's words. */
function resolved(value: Json): Json {
  if (typeof value === 'string' && value.includes('custom.groupArns')) return GROUPS;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(resolved);
  const object = value as Record<string, Json>;
  if ('Ref' in object) return nameOf(object['Ref'] as string);
  if ('Fn::GetAtt' in object) return nameOf((object['Fn::GetAtt'] as string[]).join('.'));
  if ('Fn::Sub' in object)
    return (object['Fn::Sub'] as string).replaceAll(/\$\{([\w:.]+)\}/g, (_, name: string) => nameOf(name));
  return Object.fromEntries(Object.entries(object).map(([key, one]) => [key, resolved(one)]));
}

interface Template {
  readonly Resources?: Readonly<Record<string, Role>>;
  /** What infra/compact.yml makes when it is on. */
  readonly hourly?: { readonly Resources: Readonly<Record<string, Role>> };
}

/** What a role may do, without what reads the stack's own packages, or that alone. */
function policyOf(file: string, id: string, what: 'role' | 'packages' = 'role'): string {
  const text = readFileSync(join(ROOT, 'infra', file), 'utf8');
  const { Resources, hourly } = parse(text, { merge: true }) as Template;
  const statements = (Resources ?? hourly!.Resources)[id]!.Properties.Policies.flatMap(
    ({ PolicyDocument }) => PolicyDocument.Statement,
  );
  const isOfPackages = (statement: Json): boolean =>
    JSON.stringify(statement).includes(NAMES['ArtifactsBucket']!);
  const Statement = statements
    .map(resolved)
    .filter((statement) => isOfPackages(statement) === (what === 'packages'));
  return json({ Version: '2012-10-17', Statement });
}

function json(value: Json): string {
  return `\`\`\`json\n${printed(value)}\n\`\`\``;
}

/** JSON with every value of up to 90 columns on one line. */
function printed(value: Json, indent = ''): string {
  const flat = JSON.stringify(value)
    .replaceAll(/([,:])(?=["[{])/g, '$1 ')
    .replaceAll(/([{}])/g, (brace) => (brace === '{' ? '{ ' : ' }'));
  if (value === null || typeof value !== 'object' || flat.length + indent.length <= 90) return flat;
  const inner = `${indent}  `;
  if (Array.isArray(value))
    return `[\n${value.map((one) => `${inner}${printed(one, inner)}`).join(',\n')}\n${indent}]`;
  const entries = Object.entries(value).map(([key, one]) => `${inner}"${key}": ${printed(one, inner)}`);
  return `{\n${entries.join(',\n')}\n${indent}}`;
}

export function iamDocument(): string {
  return `# IAM

<!-- Generated from infra/ by \`npm run docs\`. -->

The policies of the stack's roles, for everyone who makes roles by other means. They come from the
templates in infra/, and the simulated terminations fail when a call needs more than its role has.

Replace \`REGION\`, \`ACCOUNT\`, \`STREAM\`, \`ARCHIVE\`, \`SPILL\` and \`KEY\`; \`APPLICATION\` is the consumer's
\`application\` (\`tailrace\` by default), and in the functions' policies the name of the stack. In
other [partitions](regions.md#china-and-govcloud) \`arn:aws:\` is \`arn:aws-cn:\` or \`arn:aws-us-gov:\`.
Without a customer managed key leave out the statements of KMS.

## The agent, on each web server

${policyOf('web.yml', 'WebRole')}

- \`s3:PutObject\` is for [spilling](sending.md#spill): leave it out without \`spill.bucket\`.
- \`cloudwatch:PutMetricData\` is for the metrics of [deploy.md](deploy.md)'s alarms, which a timer of
  the instance sends.
- \`kinesis:ListShards\` lets lanes spread over the shards evenly. Without it they spread at random.
- Held terminations need the SSM agent, and with it AWS's managed policy
  \`AmazonSSMManagedInstanceCore\`.

\`tailrace agent --check --config agent.yaml\` tells whether the stream answers with this role.

## The consumer, on a worker

${policyOf('worker.yml', 'WorkerRole')}

- \`s3:ListBucket\` has no condition on purpose: without that right S3 answers 403 instead of 404 for an
  object that is not there, and a consumer waits instead of archiving.
- The tables \`…-WorkerMetricStats\` and \`…-CoordinatorState\` are those of applications that KCL
  before 3.5 created.
- With an \`archive.prefix\` the objects are \`ARCHIVE/PREFIX/logs/*\` and \`ARCHIVE/PREFIX/_commits/*\`.
- \`kcl.retrieval: fan_out\` needs \`kinesis:RegisterStreamConsumer\` and
  \`kinesis:DescribeStreamConsumer\` on the stream and \`kinesis:SubscribeToShard\` on
  \`arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM/consumer/*\`; \`kcl.cloudwatch_metrics\` needs
  \`cloudwatch:PutMetricData\`.
- Nobody needs \`s3:DeleteObject\`. The bucket policy in infra/storage.yml denies it for \`_commits/\`,
  and denies writing a commit without \`If-None-Match\`.

\`tailrace consumer --check --config consumer.yaml\` tries each right and names those that are missing;
this policy lets it.

## The function that archives, in place of a worker

${policyOf('function.yml', 'ArchiveRole')}

## The function that makes Parquet

${policyOf('compact.yml', 'CompactRole')}

A \`tailrace compact\` that runs elsewhere needs the same, without logs.

## Readers of the archive

\`tailrace ls\`, \`cat\`, \`verify\` and every other reader need \`s3:GetObject\` and \`s3:ListBucket\` on the
archive, and \`kms:Decrypt\` on its key.

${restOfDocument()}`;
}

/** The functions around the way of the logs, and whoever deploys. */
function restOfDocument(): string {
  return `## The functions that hold terminating instances

drain-start:

${policyOf('drain.yml', 'DrainStartRole')}

drain-finish:

${policyOf('drain.yml', 'DrainFinishRole')}

drain-watch:

${policyOf('drain.yml', 'DrainWatchRole')}

## The function that puts spilled chunks back

${policyOf('readmit.yml', 'ReadmitRole')}

## The function that keeps the shard count right

${policyOf('scale.yml', 'ScaleRole')}

People who change shards by \`tailrace shards\` need these too, without logs, and
\`kinesis:DescribeLimits\`; [shards.md](shards.md#the-command) says what for.

## What the stack's instances read of the artifacts

Web servers and workers fetch their packages and configurations when they start. Roles of your own
need this where instances are set up by the stack's user data:

${policyOf('worker.yml', 'WorkerRole', 'packages')}

## Whoever deploys

\`npm run deploy\` and \`npx osls remove\` act with the credentials of whoever calls them, and
CloudFormation makes each resource with the same. The list is made of the types of resources in the
templates and has not been tried in an account; the names of roles, buckets and profiles begin with
the stack's, here \`APPLICATION\`.

${json(deployPolicy() as Json)}
`;
}

if (import.meta.main) writeFileSync(IAM_FILE, iamDocument());

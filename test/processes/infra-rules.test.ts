/** What no linter sees in the packaged templates: event patterns, limits, open doors, grants, what must outlive a stack. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { LEAST_HEARTBEAT_SECONDS } from '../../functions/limits.ts';
import { assertSettings, packageFunctions, STACKS, TEMPLATE } from '../../functions/package.ts';
import { type MetricName, TROUBLES } from '../../functions/runtime/metrics.ts';
import { lint } from '../../infra/lint.ts';
import { matchesPattern } from '../simulation/event-bridge.ts';
import { type Properties, Template } from '../simulation/template.ts';

const out = mkdtempSync(join(tmpdir(), 'tailrace-packaged-'));
const names = Object.keys(STACKS) as (keyof typeof STACKS)[];
let templates: Record<string, Template>;

before(async () => {
  await packageFunctions(out);
  const network = { vpcId: 'vpc-0123456789abcdef0', subnetIds: 'subnet-0123456789abcdef0' };
  await packageFunctions(join(out, 'function'), { archiver: 'function', ...network }, ['stack']);
  templates = Object.fromEntries(
    names.map((name) => [name, new Template(join(out, name, TEMPLATE), `tailrace-${name}`)]),
  );
});
after(() => rmSync(out, { recursive: true, force: true }));

const stack = (): Template => templates['stack']!;

/** Events as the services send them. docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html */
const FIXTURES = {
  terminate: (group: string) => ({
    version: '0',
    source: 'aws.autoscaling',
    'detail-type': 'EC2 Instance-terminate Lifecycle Action',
    detail: {
      LifecycleActionToken: '87654321-4321-4321-4321-210987654321',
      AutoScalingGroupName: group,
      LifecycleHookName: 'tailrace-flush',
      EC2InstanceId: 'i-1234567890abcdef0',
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      Origin: 'AutoScalingGroup',
      Destination: 'EC2',
    },
  }),
  invocation: (document: string, status: string) => ({
    version: '0',
    source: 'aws.ssm',
    'detail-type': 'EC2 Command Invocation Status-change Notification',
    detail: {
      'command-id': 'e8d3c0e4-71f7-4491-898f-c9b35bee5f3b',
      'document-name': document,
      'instance-id': 'i-1234567890abcdef0',
      'requested-date-time': '2026-11-23T07:00:00Z',
      status,
    },
  }),
};

test('each rule takes its event, and no other', () => {
  for (const [name, template] of Object.entries(templates)) {
    const patterns = Object.fromEntries(
      template.all('AWS::Events::Rule').map(({ id, properties }) => [id, properties['EventPattern']]),
    ) as Record<string, Properties>;
    const group = name === 'stack' ? `${template.stackName}-web` : 'my-group';
    const document = `${template.stackName}-FlushDocument`;
    assert.ok(matchesPattern(patterns['TerminateRule']!, FIXTURES.terminate(group)), name);
    assert.ok(!matchesPattern(patterns['TerminateRule']!, FIXTURES.terminate('another')));
    assert.ok(matchesPattern(patterns['InvocationRule']!, FIXTURES.invocation(document, 'Success')));
    // What did not succeed is decided by the watch.
    for (const status of ['Pending', 'InProgress', 'Delayed', 'Failed', 'TimedOut', 'Cancelled']) {
      assert.ok(!matchesPattern(patterns['InvocationRule']!, FIXTURES.invocation(document, status)), status);
    }
    assert.ok(
      !matchesPattern(patterns['InvocationRule']!, FIXTURES.invocation('AWS-RunShellScript', 'Success')),
    );
  }
});

test('groups that are drained: the hook gives up by default, the group then retains, instances carry the tag', () => {
  const groups = new Template(join(out, 'stack', TEMPLATE), 'tailrace-stack', { SpotInstances: 2 })
    .all('AWS::AutoScaling::AutoScalingGroup')
    .filter(({ id }) => id !== 'WorkerGroup');
  assert.deepEqual(groups.map(({ id }) => id).sort(), ['SpotGroup', 'WebGroup']);
  for (const { properties } of groups) {
    const [hook, ...more] = properties['LifecycleHookSpecificationList'];
    assert.deepEqual(more, []);
    assertHook(hook);
    assert.deepEqual(properties['InstanceLifecyclePolicy'], {
      RetentionTriggers: { TerminateHookAbandon: 'retain' },
    });
    const tag = properties['Tags'].find(({ Key }: Properties) => Key === 'tailrace-drain');
    assert.deepEqual(tag, { Key: 'tailrace-drain', Value: 'tailrace-stack', PropagateAtLaunch: true });
  }
  const hooks = templates['attach']!.all('AWS::AutoScaling::LifecycleHook');
  assert.equal(hooks.length, 1);
  for (const { properties } of hooks) assertHook(properties);
});

function assertHook(hook: Properties): void {
  assert.equal(hook['DefaultResult'], 'ABANDON');
  assert.equal(hook['LifecycleTransition'], 'autoscaling:EC2_INSTANCE_TERMINATING');
  assert.equal(hook['LifecycleHookName'], 'tailrace-flush');
  const heartbeat = Number(hook['HeartbeatTimeout']);
  assert.ok(heartbeat >= 30 && heartbeat <= 7200, `${heartbeat}`);
}

test('times that cannot work together are refused before a deployment, with the reason', () => {
  for (const [name, template] of Object.entries(templates)) {
    assertSettings(join(out, name));
    const limits = (parameter: string): Properties => template.raw.Parameters![parameter] as Properties;
    assert.equal(limits('HeartbeatSeconds')['MinValue'], LEAST_HEARTBEAT_SECONDS);
    assert.equal(limits('HeartbeatSeconds')['MaxValue'], 7200);
    assert.ok(limits('DeliverySeconds')['MinValue'] >= 30);
  }
  // Even without our own check the template refuses these.
  const folder = join(out, 'refused');
  mkdirSync(folder);
  const raw = structuredClone(stack().raw);
  (raw.Parameters!['HeartbeatSeconds'] as Properties)['Default'] = 60;
  writeFileSync(join(folder, TEMPLATE), JSON.stringify(raw));
  assert.throws(() => assertSettings(folder), /heartbeatSeconds=60: set 180 to 7200/);
});

test('a group whose name cannot be watched or granted is refused at attach, any other works', () => {
  for (let i = 1; i <= 4; i++) {
    const { AllowedPattern } = templates['attach']!.raw.Parameters![`Group${i}`] as Properties;
    const allowed = new RegExp(`^(?:${AllowedPattern})$`);
    for (const name of ['web', 'Shop & Blog (old)', "it's", 'größe', 'a/b;c']) assert.ok(allowed.test(name));
    for (const name of ['a,b', 'web*', 'a?', 'a$b']) assert.ok(!allowed.test(name));
  }
});

test('the watch and the keeper are repeated by their schedule alone', () => {
  for (const template of Object.values(templates)) {
    const configured = template.all('AWS::Lambda::EventInvokeConfig').map(({ properties }) => properties);
    for (const { MaximumRetryAttempts } of configured) assert.equal(MaximumRetryAttempts, 0);
    const scheduled = template
      .all('AWS::Events::Rule')
      .filter(({ properties }) => properties['ScheduleExpression'] !== undefined)
      .map(({ properties }) => String(properties['Targets'][0].Arn).split(':').pop());
    assert.deepEqual(configured.map(({ FunctionName }) => FunctionName).sort(), scheduled.sort());
  }
});

test('what drains an instance is there before any instance and until all are gone', () => {
  const drain = ['TerminateRule', 'InvocationRule', 'WatchRule'].flatMap((rule) => [
    rule,
    rule.replace('Rule', 'Permission'),
  ]);
  const network = [
    'KinesisEndpoint',
    'SsmEndpoint',
    'SsmMessagesEndpoint',
    'S3Endpoint',
    'RouteTableOfSubnet',
  ];
  const way = ['WebToEndpoints', 'EndpointsFromWeb'];
  for (const group of ['WebGroup', 'SpotGroup']) assertNeeds(stack(), group, [...drain, ...network, ...way]);
  assertNeeds(stack(), 'WorkerGroup', [
    ...network,
    'DynamoDbEndpoint',
    'WorkerToEndpoints',
    'EndpointsFromWorker',
  ]);
  for (const hook of ['Hook1', 'Hook2', 'Hook3', 'Hook4']) assertNeeds(templates['attach']!, hook, drain);
  // A resource that depends on one whose condition does not hold would not be made either: only Fn::If may name those.
  for (const template of Object.values(templates)) {
    for (const [id, { Condition, DependsOn = [] }] of Object.entries(template.raw.Resources)) {
      for (const needed of [DependsOn].flat()) {
        const its = template.raw.Resources[needed]!.Condition;
        assert.ok(its === undefined || its === Condition, `${id} depends on ${needed}`);
      }
    }
  }
});

/** A resource is made after all that it names, and deleted before it. */
function assertNeeds(template: Template, id: string, wanted: readonly string[]): void {
  const needs = new Set<string>();
  const visit = (resource: string): void => {
    if (needs.has(resource)) return;
    needs.add(resource);
    const text = JSON.stringify(template.raw.Resources[resource]);
    const named = [...text.matchAll(/"(\w+)"|\$\{(\w+)[.}]/g)].map(([, quoted, sub]) => quoted ?? sub!);
    for (const name of named) if (template.has(name)) visit(name);
  };
  visit(id);
  for (const name of wanted) assert.ok(needs.has(name), `${id} does not wait for ${name}`);
}

test('the alarm on what nobody reads goes by a quarter of the retention that is set', () => {
  for (const hours of [24, 168, 8760]) {
    const file = join(out, 'stack', TEMPLATE);
    const alarm = new Template(file, 'tailrace-stack', { RetentionHours: hours }).one('IteratorAgeAlarm');
    const math = (alarm['Metrics'] as Properties[]).find(({ ReturnData }) => ReturnData)!;
    const value = (age: number): number =>
      new Function('age', `return ${math['Expression']}`)(age * 3_600_000) as number;
    assert.equal(alarm['ComparisonOperator'], 'GreaterThanThreshold');
    assert.ok(value(hours * 0.26) > alarm['Threshold'], `${hours} h`);
    assert.ok(value(hours * 0.24) < alarm['Threshold'], `${hours} h`);
    assert.equal(alarm['TreatMissingData'], 'breaching');
  }
});

test('the worker is as large as the most shards ask for', () => {
  assert.equal(stack().raw.Parameters!['WorkerInstanceType']!.Default, 't4g.medium');
});

test('within the limits of CloudFormation and EC2', () => {
  for (const name of names) {
    const { Resources, Parameters } = templates[name]!.raw;
    assert.ok(readFileSync(join(out, name, TEMPLATE)).length < 1_000_000, name);
    assert.ok(Object.keys(Resources).length < 500 && Object.keys(Parameters!).length < 200, name);
  }
  for (const { id, properties } of stack().all('AWS::EC2::LaunchTemplate')) {
    assert.ok(Buffer.byteLength(properties['LaunchTemplateData'].UserData) < 16_384, id);
  }
  const document = JSON.stringify(stack().one('FlushDocument')['Content']);
  assert.ok(document.length < 64 * 1024);
});

test('an account with few concurrent functions, a zone and an image of choice', () => {
  const file = join(out, 'stack', TEMPLATE);
  const chosen = new Template(file, 'tailrace-stack', {
    ReserveConcurrency: 'false',
    AvailabilityZone: 'us-east-1c',
  });
  assert.ok(!('ReservedConcurrentExecutions' in chosen.one('DrainWatchLambdaFunction')));
  assert.equal(chosen.one('Subnet')['AvailabilityZone'], 'us-east-1c');
  assert.equal(stack().one('Subnet')['AvailabilityZone'], 'us-east-1a');
});

test('the dashboard is JSON and shows metrics that there are', () => {
  const { widgets } = JSON.parse(stack().one('Dashboard')['DashboardBody']) as {
    widgets: { properties: { metrics: unknown[][] } }[];
  };
  const shown = new Set(widgets.flatMap(({ properties }) => properties.metrics.map(([, name]) => name)));
  const alarmed = stack()
    .all('AWS::CloudWatch::Alarm')
    .flatMap(({ properties: { MetricName, Metrics = [] } }) => [
      MetricName,
      ...(Metrics as Properties[]).map(({ MetricStat }) => MetricStat?.Metric.MetricName),
    ])
    .filter((name) => name !== undefined);
  assert.deepEqual(
    alarmed.filter((name) => !shown.has(name)),
    [],
  );
});

test('nothing is open to anywhere', () => {
  for (const name of names) {
    const text = readFileSync(join(out, name, TEMPLATE), 'utf8');
    assert.doesNotMatch(text, /0\.0\.0\.0\/0|::\/0/, name);
  }
  for (const type of ['AWS::EC2::SecurityGroup']) {
    // A group without rules of its own lets everything out.
    for (const { id, properties } of stack().all(type))
      assert.ok(properties['SecurityGroupEgress'].length > 0, id);
  }
});

test('instances ask for IMDSv2, measure each minute, and encrypt their disks', () => {
  for (const { id, properties } of stack().all('AWS::EC2::LaunchTemplate')) {
    const data = properties['LaunchTemplateData'];
    assert.equal(data.MetadataOptions.HttpTokens, 'required', id);
    assert.equal(data.MetadataOptions.HttpPutResponseHopLimit, 1, id);
    assert.equal(data.Monitoring.Enabled, true, id);
    assert.ok(data.BlockDeviceMappings.length > 0, id);
    for (const { Ebs } of data.BlockDeviceMappings) assert.equal(Ebs.Encrypted, true, id);
  }
});

test('a silent agent is an alarm; the load balancer judges health where there is one; versions are a choice', () => {
  const file = join(out, 'stack', TEMPLATE);
  const chosen = new Template(file, 'tailrace-stack', {
    TargetGroupArns: 'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1',
    ArchiveVersioning: 'true',
    SpotInstances: 2,
  });
  for (const group of ['WebGroup', 'SpotGroup']) {
    assert.equal(chosen.one(group)['HealthCheckType'], 'ELB');
    assert.equal(stack().one(group)['HealthCheckType'], 'EC2');
  }
  assert.deepEqual(chosen.one('ArchiveBucket')['VersioningConfiguration'], { Status: 'Enabled' });
  assert.equal(stack().one('ArchiveBucket')['VersioningConfiguration'], undefined);
  const missing = (template: Template, values: Record<string, number | null>): number => {
    const [math] = template.one('AgentSilentAlarm')['Metrics'] as Properties[];
    const expression = String(math!['Expression']);
    const FILL = (value: number | null, filler: number): number => value ?? filler;
    const names = Object.keys(values);
    return new Function('FILL', ...names, `return ${expression}`)(FILL, ...Object.values(values)) as number;
  };
  const { Threshold } = stack().one('AgentSilentAlarm');
  assert.ok(missing(stack(), { web: 3, samples: 15 }) < Threshold);
  assert.ok(missing(stack(), { web: 3, samples: 10 }) >= Threshold, 'one of three is silent');
  assert.ok(missing(stack(), { web: 1, samples: null }) >= Threshold, 'the only one is silent');
  assert.ok(missing(stack(), { web: null, samples: null }) < Threshold, 'no server at all');
  assert.ok(missing(chosen, { web: 1, spot: 2, samples: 10 }) >= Threshold);
});

test('what holds data outlives the stack; buckets are closed, encrypted by bucket key, and keep their commits', () => {
  const resources = Object.entries(stack().raw.Resources);
  for (const type of ['AWS::S3::Bucket', 'AWS::Kinesis::Stream', 'AWS::KMS::Key']) {
    const some = resources.filter(([, { Type }]) => Type === type);
    assert.ok(some.length > 0);
    for (const [id, { DeletionPolicy }] of some) assert.equal(DeletionPolicy, 'Retain', id);
  }
  for (const { id, properties } of stack().all('AWS::S3::Bucket')) {
    assert.ok(
      Object.values(properties['PublicAccessBlockConfiguration']).every((on) => on === true),
      id,
    );
    assert.deepEqual(properties['OwnershipControls'].Rules, [{ ObjectOwnership: 'BucketOwnerEnforced' }]);
    assert.equal(properties['BucketEncryption'].ServerSideEncryptionConfiguration[0].BucketKeyEnabled, true);
  }
  const rules = stack().one('ArchiveBucket')['LifecycleConfiguration'].Rules as Properties[];
  for (const rule of rules.filter(({ Id }) => Id !== 'abort-multipart'))
    assert.equal(rule['Prefix'], 'logs/');
  const denied = (stack().one('ArchiveBucketPolicy')['PolicyDocument'].Statement as Properties[]).find(
    ({ Sid }) => Sid === 'CommitsStay',
  )!;
  assert.equal(denied['Effect'], 'Deny');
  assert.ok(denied['Action'].includes('s3:DeleteObject') && denied['Resource'].endsWith('/_commits/*'));
  const statements = stack().one('ArchiveBucketPolicy')['PolicyDocument'].Statement as Properties[];
  const once = statements.find(({ Sid }) => Sid === 'CommitsAreWrittenOnce')!;
  assert.deepEqual(
    { ...once, Resource: once['Resource'].endsWith('/_commits/*') },
    {
      Sid: 'CommitsAreWrittenOnce',
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: true,
      Condition: { Null: { 's3:if-none-match': true } },
    },
  );
  assert.equal(stack().one('Stream')['RetentionPeriodHours'], '168');
});

test('buckets are spoken to by TLS alone', () => {
  const policies = stack().all('AWS::S3::BucketPolicy');
  assert.equal(policies.length, stack().all('AWS::S3::Bucket').length);
  for (const { id, properties } of policies) {
    const statements = properties['PolicyDocument'].Statement as Properties[];
    const { Resource, ...tls } = statements.find(({ Sid }) => Sid === 'TlsOnly')!;
    const wanted = { Sid: 'TlsOnly', Effect: 'Deny', Principal: '*', Action: 's3:*' };
    assert.deepEqual(tls, { ...wanted, Condition: { Bool: { 'aws:SecureTransport': false } } }, id);
    assert.ok(Resource.length === 2 && Resource[1].endsWith('/*'), id);
  }
});

test('nothing that the flush script is given can be a command', () => {
  for (const template of Object.values(templates)) {
    const { Content } = template.one('FlushDocument');
    const patterns = [
      (template.raw.Parameters!['StopFirst'] as Properties)['AllowedPattern'],
      Content.parameters.group.allowedPattern,
    ];
    for (const pattern of patterns) {
      const allowed = new RegExp(`^(?:${pattern})$`);
      assert.ok(allowed.test('nginx'));
      for (const character of `'"\`$;&|<>\\\n*?~!{}`) assert.ok(!allowed.test(`a${character}b`), pattern);
    }
    assert.match(Content.mainSteps[0].inputs.runCommand.join('\n'), /^GROUP='\{\{ group \}\}'$/m);
  }
});

test('each function has a role, a log group with an end, and no more than two way back at once', () => {
  for (const template of Object.values(templates)) {
    const roles = new Set<string>();
    for (const { id, properties } of template.all('AWS::Lambda::Function')) {
      roles.add(properties['Role']);
      assert.equal(properties['Runtime'], 'nodejs24.x', id);
    }
    assert.equal(roles.size, template.all('AWS::Lambda::Function').length);
    for (const { id, properties } of template.all('AWS::Logs::LogGroup'))
      assert.ok(properties['RetentionInDays'], id);
  }
  const [mapping] = stack().all('AWS::Lambda::EventSourceMapping');
  assert.equal(mapping!.properties['ScalingConfig'].MaximumConcurrency, 2);
  assert.deepEqual(mapping!.properties['FunctionResponseTypes'], ['ReportBatchItemFailures']);
  assert.equal(stack().one('DrainWatchLambdaFunction')['ReservedConcurrentExecutions'], 1);
});

test('the way back: every spilled object is a message, which ends among the dead letters when nothing helps', () => {
  const bucket = stack().one('SpillBucket');
  const arn = (id: string): unknown => stack().resolve({ 'Fn::GetAtt': [id, 'Arn'] });
  const [notification, ...more] = bucket['NotificationConfiguration'].QueueConfigurations;
  assert.deepEqual(more, []);
  assert.equal(notification.Queue, arn('SpillQueue'));
  // The bucket cannot be made before its queue lets it in; the policy names it, because it cannot ask for it yet.
  assertNeeds(stack(), 'SpillBucket', ['SpillQueuePolicy', 'SpillQueue']);
  const [letIn] = stack().one('SpillQueuePolicy')['PolicyDocument'].Statement;
  assert.equal(letIn.Condition.ArnLike['aws:SourceArn'], arn('SpillBucket'));
  const rules = notification.Filter.S3Key.Rules as Properties[];
  const part = (name: string): string => rules.find(({ Name }) => Name === name)!['Value'];
  const key = 'spill/i-0123456789abcdef0/p/000000000001-0123456789abcdef.chunks';
  assert.ok(key.startsWith(part('prefix')) && key.endsWith(part('suffix')));

  const queue = stack().one('SpillQueue');
  const timeout = stack().one('ReadmitLambdaFunction')['Timeout'];
  assert.ok(queue['VisibilityTimeout'] >= 6 * timeout);
  assert.equal(queue['RedrivePolicy'].deadLetterTargetArn, arn('SpillDeadLetters'));
  assert.ok(queue['RedrivePolicy'].maxReceiveCount >= 5);
  const raw = stack().raw.Resources['SpillDeadLetters']!;
  assert.equal(raw.DeletionPolicy, 'Retain');
  const alarm = stack().one('DeadLetterAlarm');
  assert.equal(
    alarm['Dimensions'][0].Value,
    stack().resolve({ 'Fn::GetAtt': ['SpillDeadLetters', 'QueueName'] }),
  );
  // An object is a segment of a spool, put back within one call at the least pace that is taken.
  const least = (stack().raw.Parameters!['ReadmitBytesPerSecond'] as Properties)['MinValue'];
  assert.ok((16 * 1024 ** 2) / least < timeout - 15);
});

test('all that is to be alarmed is, to the topic', () => {
  const alarms = stack().all('AWS::CloudWatch::Alarm');
  const topic = stack().resolve({ Ref: 'AlertTopic' });
  for (const { id, properties } of alarms) assert.deepEqual(properties['AlarmActions'], [topic], id);
  // They are not sent at 0.
  for (const { id, properties } of alarms) {
    if (!TROUBLES.has(properties['MetricName'] as MetricName)) continue;
    assert.equal(properties['TreatMissingData'], 'notBreaching', id);
  }
  const metrics = alarms.flatMap(({ properties: { MetricName, Metrics = [] } }) => [
    MetricName,
    ...(Metrics as Properties[]).map(({ MetricStat }) => MetricStat?.Metric.MetricName),
  ]);
  for (const metric of [
    'GetRecords.IteratorAgeMilliseconds',
    'PutRecords.ThrottledRecords',
    'DrainFailed',
    'InstancesRetained',
    'Errors',
    'WatchRuns',
    'ApproximateNumberOfMessagesVisible',
    'OldestUnsentSeconds',
    'TroubledInputs',
  ]) {
    assert.ok(metrics.includes(metric), metric);
  }
});

test('the keeper of shards may do what it calls, and nothing else', () => {
  const folder = join(import.meta.dirname, '..', '..');
  const files = [
    'functions/scale/pass.ts',
    'functions/scale/change.ts',
    'functions/scale/change-log.ts',
    'functions/scale/traffic.ts',
    'base/list-shards.ts',
  ];
  const source = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  const called = new Set([...source.matchAll(/new (\w+)Command\(/g)].map(([, name]) => name));
  const statements = stack().one('ScaleRole')['Policies'][0].PolicyDocument.Statement as Properties[];
  const granted = statements
    .flatMap(({ Action }) => [Action].flat() as string[])
    .filter((action) => !action.startsWith('logs:'))
    .map((action) => action.split(':')[1]);
  assert.deepEqual(granted.sort(), [...called].sort());
});

test('alarms go by metrics that the functions write', () => {
  const metrics = readFileSync(
    join(import.meta.dirname, '..', '..', 'functions', 'runtime', 'metrics.ts'),
    'utf8',
  );
  for (const template of Object.values(templates)) {
    for (const { id, properties } of template.all('AWS::CloudWatch::Alarm')) {
      // Those of agents and of the worker come from the instances' user data.
      const { Namespace, MetricName } = properties;
      const ofInstances = ['OldestUnsentSeconds', 'TroubledInputs', 'WorkerFaults'];
      if (Namespace !== 'Tailrace' || ofInstances.includes(String(MetricName))) continue;
      assert.match(metrics, new RegExp(`'${properties['MetricName']}'`), id);
    }
  }
});

test('the zips are the same each time', async () => {
  const again = join(out, 'second');
  await packageFunctions(again, {}, ['attach']);
  for (const zip of ['drainStart.zip', 'drainFinish.zip', 'drainWatch.zip']) {
    assert.ok(readFileSync(join(again, 'attach', zip)).equals(readFileSync(join(out, 'attach', zip))), zip);
  }
});

test('with the function as archiver there is no worker, and its mapping discards nothing', () => {
  const template = new Template(join(out, 'function', 'stack', TEMPLATE), 'tailrace-function');
  for (const id of ['WorkerGroup', 'WorkerTemplate', 'WorkerRole', 'WorkerSecurityGroup']) {
    assert.ok(stack().has(id) && !template.has(id), id);
  }
  const [mapping] = template
    .all('AWS::Lambda::EventSourceMapping')
    .filter(({ properties }) => 'MaximumBatchingWindowInSeconds' in properties);
  assert.equal(mapping!.properties['StartingPosition'], 'TRIM_HORIZON');
  assert.equal(mapping!.properties['MaximumRetryAttempts'], -1);
  assert.equal(mapping!.properties['MaximumRecordAgeInSeconds'], -1);
  assert.equal(mapping!.properties['BisectBatchOnFunctionError'], false);
  assert.equal(mapping!.properties['ParallelizationFactor'], 1);
  assert.equal(Number(template.parameter('RetentionHours')), 24);
  assert.equal(Number(stack().parameter('RetentionHours')), 168);
});

test('cfn-lint has nothing to say', (context) => {
  for (const name of [...names, join('function', 'stack')]) {
    const found = lint(join(out, name, TEMPLATE));
    if (found === null) context.skip('cfn-lint could not be installed: it takes python3 with venv, and PyPI');
    else assert.equal(found, '', name);
  }
});

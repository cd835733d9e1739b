/** What whoever deploys the stack needs: CloudFormation makes each resource of the templates with that one's rights. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** For each type of resource: what making, changing, tagging, reading and deleting it calls. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  'AWS::AutoScaling::AutoScalingGroup': [
    'autoscaling:CreateAutoScalingGroup',
    'autoscaling:UpdateAutoScalingGroup',
    'autoscaling:DeleteAutoScalingGroup',
    'autoscaling:CreateOrUpdateTags',
    'autoscaling:DeleteTags',
    'autoscaling:AttachLoadBalancerTargetGroups',
    'autoscaling:DetachLoadBalancerTargetGroups',
    'autoscaling:Describe*',
    'ec2:RunInstances',
    'iam:CreateServiceLinkedRole',
  ],
  'AWS::AutoScaling::LifecycleHook': ['autoscaling:PutLifecycleHook', 'autoscaling:DeleteLifecycleHook'],
  'AWS::AutoScaling::ScalingPolicy': ['autoscaling:PutScalingPolicy', 'autoscaling:DeletePolicy'],
  'AWS::CloudFormation::WaitCondition': [],
  'AWS::CloudFormation::WaitConditionHandle': [],
  'AWS::CloudWatch::Alarm': [
    'cloudwatch:PutMetricAlarm',
    'cloudwatch:DeleteAlarms',
    'cloudwatch:DescribeAlarms',
    'cloudwatch:TagResource',
    'cloudwatch:UntagResource',
    'cloudwatch:ListTagsForResource',
  ],
  'AWS::CloudWatch::Dashboard': [
    'cloudwatch:PutDashboard',
    'cloudwatch:GetDashboard',
    'cloudwatch:DeleteDashboards',
  ],
  'AWS::EC2::LaunchTemplate': [
    'ec2:CreateLaunchTemplate',
    'ec2:CreateLaunchTemplateVersion',
    'ec2:ModifyLaunchTemplate',
    'ec2:DeleteLaunchTemplate',
    'ec2:CreateTags',
    'ec2:DeleteTags',
    'ec2:Describe*',
  ],
  'AWS::EC2::RouteTable': ['ec2:CreateRouteTable', 'ec2:DeleteRouteTable'],
  'AWS::EC2::SecurityGroup': [
    'ec2:CreateSecurityGroup',
    'ec2:DeleteSecurityGroup',
    'ec2:AuthorizeSecurityGroupIngress',
    'ec2:AuthorizeSecurityGroupEgress',
    'ec2:RevokeSecurityGroupIngress',
    'ec2:RevokeSecurityGroupEgress',
  ],
  'AWS::EC2::SecurityGroupEgress': [],
  'AWS::EC2::SecurityGroupIngress': [],
  'AWS::EC2::Subnet': ['ec2:CreateSubnet', 'ec2:ModifySubnetAttribute', 'ec2:DeleteSubnet'],
  'AWS::EC2::SubnetRouteTableAssociation': ['ec2:AssociateRouteTable', 'ec2:DisassociateRouteTable'],
  'AWS::EC2::VPC': ['ec2:CreateVpc', 'ec2:ModifyVpcAttribute', 'ec2:DeleteVpc'],
  'AWS::EC2::VPCEndpoint': ['ec2:CreateVpcEndpoint', 'ec2:ModifyVpcEndpoint', 'ec2:DeleteVpcEndpoints'],
  'AWS::Events::Rule': [
    'events:PutRule',
    'events:DescribeRule',
    'events:DeleteRule',
    'events:PutTargets',
    'events:RemoveTargets',
    'events:ListTargetsByRule',
    'events:TagResource',
    'events:UntagResource',
    'events:ListTagsForResource',
  ],
  'AWS::IAM::InstanceProfile': [
    'iam:CreateInstanceProfile',
    'iam:GetInstanceProfile',
    'iam:DeleteInstanceProfile',
    'iam:AddRoleToInstanceProfile',
    'iam:RemoveRoleFromInstanceProfile',
  ],
  'AWS::IAM::Role': [
    'iam:CreateRole',
    'iam:GetRole',
    'iam:UpdateRole',
    'iam:UpdateAssumeRolePolicy',
    'iam:DeleteRole',
    'iam:PutRolePolicy',
    'iam:GetRolePolicy',
    'iam:ListRolePolicies',
    'iam:DeleteRolePolicy',
    'iam:AttachRolePolicy',
    'iam:DetachRolePolicy',
    'iam:ListAttachedRolePolicies',
    'iam:TagRole',
    'iam:UntagRole',
    'iam:PassRole',
  ],
  'AWS::KMS::Key': [
    'kms:CreateKey',
    'kms:DescribeKey',
    'kms:PutKeyPolicy',
    'kms:GetKeyPolicy',
    'kms:EnableKeyRotation',
    'kms:DisableKeyRotation',
    'kms:GetKeyRotationStatus',
    'kms:UpdateKeyDescription',
    'kms:ScheduleKeyDeletion',
    'kms:TagResource',
    'kms:UntagResource',
    'kms:ListResourceTags',
  ],
  'AWS::Kinesis::Stream': [
    'kinesis:CreateStream',
    'kinesis:DescribeStreamSummary',
    'kinesis:DeleteStream',
    'kinesis:UpdateShardCount',
    'kinesis:UpdateStreamMode',
    'kinesis:IncreaseStreamRetentionPeriod',
    'kinesis:DecreaseStreamRetentionPeriod',
    'kinesis:StartStreamEncryption',
    'kinesis:StopStreamEncryption',
    'kinesis:EnableEnhancedMonitoring',
    'kinesis:DisableEnhancedMonitoring',
    'kinesis:AddTagsToStream',
    'kinesis:RemoveTagsFromStream',
    'kinesis:ListTagsForStream',
  ],
  'AWS::Lambda::EventInvokeConfig': [
    'lambda:PutFunctionEventInvokeConfig',
    'lambda:UpdateFunctionEventInvokeConfig',
    'lambda:GetFunctionEventInvokeConfig',
    'lambda:DeleteFunctionEventInvokeConfig',
  ],
  'AWS::Lambda::EventSourceMapping': [
    'lambda:CreateEventSourceMapping',
    'lambda:UpdateEventSourceMapping',
    'lambda:GetEventSourceMapping',
    'lambda:DeleteEventSourceMapping',
  ],
  'AWS::Lambda::Function': [
    'lambda:CreateFunction',
    'lambda:UpdateFunctionCode',
    'lambda:UpdateFunctionConfiguration',
    'lambda:GetFunction',
    'lambda:GetFunctionConfiguration',
    'lambda:DeleteFunction',
    'lambda:PutFunctionConcurrency',
    'lambda:DeleteFunctionConcurrency',
    'lambda:TagResource',
    'lambda:UntagResource',
    'lambda:ListTags',
  ],
  'AWS::Lambda::Permission': ['lambda:AddPermission', 'lambda:RemovePermission', 'lambda:GetPolicy'],
  'AWS::Logs::LogGroup': [
    'logs:CreateLogGroup',
    'logs:DescribeLogGroups',
    'logs:DeleteLogGroup',
    'logs:PutRetentionPolicy',
    'logs:DeleteRetentionPolicy',
    'logs:TagResource',
    'logs:UntagResource',
    'logs:ListTagsForResource',
  ],
  'AWS::S3::Bucket': [
    's3:CreateBucket',
    's3:DeleteBucket',
    's3:ListBucket',
    's3:GetBucketLocation',
    's3:GetEncryptionConfiguration',
    's3:PutEncryptionConfiguration',
    's3:GetLifecycleConfiguration',
    's3:PutLifecycleConfiguration',
    's3:GetBucketVersioning',
    's3:PutBucketVersioning',
    's3:GetBucketNotification',
    's3:PutBucketNotification',
    's3:GetBucketOwnershipControls',
    's3:PutBucketOwnershipControls',
    's3:GetBucketPublicAccessBlock',
    's3:PutBucketPublicAccessBlock',
    's3:GetBucketTagging',
    's3:PutBucketTagging',
  ],
  'AWS::S3::BucketPolicy': ['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy'],
  'AWS::SNS::Subscription': ['sns:Subscribe', 'sns:Unsubscribe', 'sns:GetSubscriptionAttributes'],
  'AWS::SNS::Topic': [
    'sns:CreateTopic',
    'sns:DeleteTopic',
    'sns:GetTopicAttributes',
    'sns:SetTopicAttributes',
    'sns:ListSubscriptionsByTopic',
    'sns:TagResource',
    'sns:UntagResource',
    'sns:ListTagsForResource',
  ],
  'AWS::SQS::Queue': [
    'sqs:CreateQueue',
    'sqs:DeleteQueue',
    'sqs:GetQueueAttributes',
    'sqs:GetQueueUrl',
    'sqs:SetQueueAttributes',
    'sqs:TagQueue',
    'sqs:UntagQueue',
    'sqs:ListQueueTags',
  ],
  'AWS::SQS::QueuePolicy': [],
  'AWS::SSM::Document': [
    'ssm:CreateDocument',
    'ssm:UpdateDocument',
    'ssm:UpdateDocumentDefaultVersion',
    'ssm:DescribeDocument',
    'ssm:GetDocument',
    'ssm:DeleteDocument',
    'ssm:AddTagsToResource',
    'ssm:RemoveTagsFromResource',
    'ssm:ListTagsForResource',
  ],
};

/** What osls and `npm run deploy` call themselves. */
const CALLED = [
  'cloudformation:CreateStack',
  'cloudformation:UpdateStack',
  'cloudformation:DeleteStack',
  'cloudformation:DescribeStacks',
  'cloudformation:DescribeStackEvents',
  'cloudformation:DescribeStackResource',
  'cloudformation:DescribeStackResources',
  'cloudformation:ListStackResources',
  'cloudformation:GetTemplate',
  'cloudformation:ValidateTemplate',
  'ec2:DescribeManagedPrefixLists',
  // Of the image.
  'ssm:GetParameters',
];
/** What is refused outside the stack's own names. */
const SCOPES: readonly (readonly [service: string, resources: readonly string[]])[] = [
  ['iam', ['arn:aws:iam::ACCOUNT:role/APPLICATION-*', 'arn:aws:iam::ACCOUNT:instance-profile/APPLICATION-*']],
  ['s3', ['arn:aws:s3:::APPLICATION-*']],
];
const SERVICE_ROLES = 'iam:CreateServiceLinkedRole';

/** Each type that a template makes; osls adds the functions and their log groups. */
function typesOfTemplates(): readonly string[] {
  const types = globSync(['infra/*.yml', 'serverless*.yml'], { cwd: ROOT }).flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^ +Type: '?(AWS::\w+::\w+)'?$/gm)].map(
      ([, type]) => type!,
    ),
  );
  return [...new Set([...types, 'AWS::Lambda::Function', 'AWS::Logs::LogGroup'])].sort();
}

/** The policy, with the words of docs/iam.md for what differs. */
export function deployPolicy(): object {
  const actions = typesOfTemplates().flatMap((type) => {
    const known = ACTIONS[type];
    if (known === undefined) throw new Error(`test/support/iam-deploy.ts has no actions for ${type}`);
    return known;
  });
  const all = [...new Set([...CALLED, ...actions])].sort();
  const isScoped = (action: string): boolean =>
    action !== SERVICE_ROLES && SCOPES.some(([service]) => action.startsWith(`${service}:`));
  const statement = (Action: readonly string[], Resource: string | readonly string[]): object => ({
    Effect: 'Allow',
    Action,
    Resource,
  });
  return {
    Version: '2012-10-17',
    Statement: [
      statement(
        all.filter((action) => !isScoped(action)),
        '*',
      ),
      ...SCOPES.map(([service, resources]) =>
        statement(
          all.filter((action) => isScoped(action) && action.startsWith(`${service}:`)),
          resources,
        ),
      ),
      statement(['s3:ListBucket', 's3:GetBucketLocation'], 'arn:aws:s3:::ARTIFACTS'),
      statement(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], 'arn:aws:s3:::ARTIFACTS/*'),
    ],
  };
}

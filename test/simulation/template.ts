/** A packaged CloudFormation template with its intrinsic functions resolved, as a deployment would. */
import { readFileSync } from 'node:fs';

export const ACCOUNT = '123456789012';
export const REGION = 'us-east-1';

type Json = unknown;
/** A part of a template or of a service's JSON, whose form its schema says and not ours. */
// biome-ignore lint/suspicious/noExplicitAny: a type for each resource would repeat CloudFormation's schema
export type Loose = any;
export type Properties = Record<string, Loose>;
type Resource = {
  Type: string;
  Condition?: string;
  Properties: Record<string, Json>;
  DeletionPolicy?: string;
  DependsOn?: string | string[];
};
interface Raw {
  Parameters?: Record<string, { Type: string; Default?: string | number }>;
  Conditions?: Record<string, Json>;
  Resources: Record<string, Resource>;
}

const NONE = Symbol('AWS::NoValue');

export class Template {
  readonly stackName: string;
  readonly raw: Raw;
  readonly #parameters: Record<string, string>;

  constructor(file: string, stackName: string, overrides: Readonly<Record<string, string | number>> = {}) {
    this.raw = JSON.parse(readFileSync(file, 'utf8')) as Raw;
    this.stackName = stackName;
    const parameters = Object.entries(this.raw.Parameters ?? {});
    this.#parameters = Object.fromEntries(
      parameters.map(([name, { Default }]) => [name, String(overrides[name] ?? Default)]),
    );
    for (const name of Object.keys(overrides)) {
      if (!(name in this.#parameters)) throw new Error(`the template has no parameter ${name}`);
    }
  }

  parameter(name: string): string {
    return this.#parameters[name]!;
  }

  /** Logical ids and resolved properties of the resources of a type whose condition holds. */
  all(type: string): { id: string; properties: Properties }[] {
    return Object.entries(this.raw.Resources)
      .filter(([, { Type, Condition }]) => Type === type && (!Condition || this.#condition(Condition)))
      .map(([id, { Properties }]) => ({ id, properties: this.resolve(Properties) as Properties }));
  }

  has(id: string): boolean {
    return id in this.raw.Resources;
  }

  one(id: string): Properties {
    return this.resolve(this.raw.Resources[id]!.Properties) as Properties;
  }

  resolve(value: Json): Json {
    if (Array.isArray(value)) return value.map((part) => this.resolve(part)).filter((part) => part !== NONE);
    if (typeof value !== 'object' || value === null) return value;
    const [[key, argument] = ['', null], ...more] = Object.entries(value);
    if (more.length === 0 && (key === 'Ref' || key.startsWith('Fn::'))) return this.#intrinsic(key, argument);
    return Object.fromEntries(
      Object.entries(value)
        .map(([name, part]) => [name, this.resolve(part)] as const)
        .filter(([, part]) => part !== NONE),
    );
  }

  #intrinsic(key: string, argument: Loose): Json {
    const text = (part: Json): string => String(this.resolve(part));
    switch (key) {
      case 'Ref':
        return this.#ref(argument);
      case 'Fn::GetAtt':
        return this.#attribute(argument[0], argument[1]);
      case 'Fn::Sub':
        return String(argument).replace(/\$\{([^}!]+)\}/g, (_, name: string) => {
          const [id, attribute] = name.split(/\.(.*)/s);
          return String(attribute === undefined ? this.#ref(name) : this.#attribute(id!, attribute));
        });
      case 'Fn::Join':
        return (this.resolve(argument[1]) as Json[]).map(String).join(argument[0]);
      case 'Fn::If':
        return this.resolve(argument[this.#condition(argument[0]) ? 1 : 2]);
      case 'Fn::Split':
        return text(argument[1]).split(argument[0]);
      case 'Fn::Select':
        return (this.resolve(argument[1]) as Json[])[Number(argument[0])];
      case 'Fn::GetAZs':
        return [`${REGION}a`, `${REGION}b`];
      case 'Fn::Base64':
        return text(argument);
      default:
        throw new Error(`the simulation does not know ${key}`);
    }
  }

  #condition(name: string): boolean {
    const evaluate = (expression: Loose): boolean => {
      const [[key, argument]] = Object.entries(expression) as [[string, Loose]];
      if (key === 'Condition') return this.#condition(argument);
      if (key === 'Fn::And') return (argument as Loose[]).every(evaluate);
      if (key === 'Fn::Not') return !evaluate(argument[0]);
      if (key === 'Fn::Equals')
        return String(this.resolve(argument[0])) === String(this.resolve(argument[1]));
      throw new Error(`the simulation does not know the condition ${key}`);
    };
    return evaluate(this.raw.Conditions![name]);
  }

  #ref(name: string): Json {
    const pseudo: Record<string, Json> = {
      'AWS::NoValue': NONE,
      'AWS::Region': REGION,
      'AWS::AccountId': ACCOUNT,
      'AWS::Partition': 'aws',
      'AWS::StackName': this.stackName,
    };
    if (name in pseudo) return pseudo[name];
    if (name in this.#parameters) return this.#parameters[name];
    const { Type, Properties } = this.raw.Resources[name]!;
    const own: Record<string, string> = {
      'AWS::Lambda::Function': 'FunctionName',
      'AWS::AutoScaling::AutoScalingGroup': 'AutoScalingGroupName',
      'AWS::Kinesis::Stream': 'Name',
      'AWS::S3::Bucket': 'BucketName',
    };
    if (own[Type]) return this.resolve(Properties[own[Type]!]);
    if (Type === 'AWS::SNS::Topic') return `arn:aws:sns:${REGION}:${ACCOUNT}:${this.stackName}-${name}`;
    if (Type === 'AWS::SQS::Queue') return `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}`;
    return `${this.stackName}-${name}`;
  }

  #attribute(id: string, attribute: string): string {
    const { Type } = this.raw.Resources[id]!;
    const name = String(this.#ref(id));
    const arns: Record<string, string> = {
      'AWS::Lambda::Function': `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
      'AWS::Events::Rule': `arn:aws:events:${REGION}:${ACCOUNT}:rule/${name}`,
      'AWS::IAM::Role': `arn:aws:iam::${ACCOUNT}:role/${id}`,
      'AWS::IAM::InstanceProfile': `arn:aws:iam::${ACCOUNT}:instance-profile/${id}`,
      'AWS::Kinesis::Stream': `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/${name}`,
      'AWS::S3::Bucket': `arn:aws:s3:::${name}`,
      'AWS::SQS::Queue': `arn:aws:sqs:${REGION}:${ACCOUNT}:${id}`,
      'AWS::KMS::Key': `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`,
    };
    if (attribute === 'Arn' && arns[Type]) return arns[Type]!;
    return `${name}.${attribute}`;
  }
}

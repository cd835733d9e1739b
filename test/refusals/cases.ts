/** What AWS refuses a worker, in AWS's words, and what the worker and its `--check` have to say of it. */
import type { Asked, AwsError, Refuse } from '../support/refusal-proxy.ts';

export interface RefusalCase {
  readonly name: string;
  readonly refuse: Refuse;
  /** Whether the worker is restarted while it is refused: KCL then never gets as far as a shard. */
  readonly fromStart?: true;
  /** A fault in /health and status; null where there must be none because nothing is refused. */
  readonly fault: RegExp | null;
  /** A line of `consumer --check`; null where it finds everything fine. */
  readonly check: RegExp | null;
}

const ROLE = 'arn:aws:sts::123456789012:assumed-role/tailrace-worker/i-0123456789abcdef0';
const KEY = 'arn:aws:kms:us-east-1:123456789012:key/0f1e2d3c-0000-0000-0000-000000000000';
const isJson = ({ service }: Asked): boolean => service !== 's3';
const isPut = ({ service, method }: Asked): boolean => service === 's3' && method === 'PUT';

function denied(operation: string): AwsError {
  return {
    status: 400,
    code: 'com.amazon.coral.service#AccessDeniedException',
    message: `User: ${ROLE} is not authorized to perform: dynamodb:${operation} on resource: arn:aws:dynamodb:us-east-1:123456789012:table/tailrace because no identity-based policy allows the dynamodb:${operation} action`,
  };
}

export const CASES: readonly RefusalCase[] = [
  {
    name: 'lease tables: everything denied',
    refuse: ({ service, operation }) => (service === 'dynamodb' ? denied(operation) : null),
    fault: /AWS refuses: .*not authorized to perform: dynamodb:/,
    check: /table tailrace: dynamodb:.*AccessDeniedException/,
  },
  {
    name: 'lease tables: denied from the start',
    fromStart: true,
    refuse: ({ service, operation }) => (service === 'dynamodb' ? denied(operation) : null),
    fault: /AWS refuses: .*not authorized to perform: dynamodb:/,
    check: /table tailrace: dynamodb:.*AccessDeniedException/,
  },
  {
    name: 'lease tables: UpdateItem denied',
    refuse: ({ service, operation }) =>
      service === 'dynamodb' && operation === 'UpdateItem' ? denied(operation) : null,
    fault: /AWS refuses: .*not authorized to perform: dynamodb:UpdateItem/,
    check: /table tailrace: dynamodb:UpdateItem: AccessDeniedException/,
  },
  {
    name: 'expired token',
    refuse: (asked) =>
      isJson(asked)
        ? {
            status: 400,
            code: 'com.amazon.coral.service#ExpiredTokenException',
            message: 'The security token included in the request is expired',
          }
        : { status: 400, code: 'ExpiredToken', message: 'The provided token has expired.' },
    fault: /AWS refuses: .*renew the credentials/,
    check: /stream: .* answers ExpiredTokenException: The security token .* is expired/,
  },
  {
    name: 'unknown access key',
    refuse: (asked) =>
      isJson(asked)
        ? {
            status: 400,
            code: 'com.amazon.coral.service#UnrecognizedClientException',
            message: 'The security token included in the request is invalid.',
          }
        : {
            status: 403,
            code: 'InvalidAccessKeyId',
            message: 'The AWS Access Key Id you provided does not exist in our records.',
          },
    fault: /AWS refuses: .*valid credentials/,
    check: /stream: .* answers UnrecognizedClientException: .* is invalid/,
  },
  {
    name: 'KMS key of the stream disabled',
    refuse: ({ service, operation }) =>
      service === 'kinesis' && operation === 'GetRecords'
        ? { status: 400, code: 'KMSDisabledException', message: `${KEY} is disabled.` }
        : null,
    fault: /AWS refuses: .*KmsDisabledException.*enable the KMS key/,
    check: /stream weblogs: .*kms:Decrypt.*: KMSDisabledException/,
  },
  {
    name: 'KMS key of the bucket disabled',
    refuse: (asked) =>
      isPut(asked) ? { status: 400, code: 'KMS.DisabledException', message: `${KEY} is disabled.` } : null,
    fault: /cannot write: S3 put .*: kms: /,
    check: /kms:GenerateDataKey .*: kms: /,
  },
  {
    name: 'S3 does not implement If-None-Match',
    refuse: (asked) =>
      isPut(asked) && asked.headers['if-none-match'] !== undefined
        ? {
            status: 501,
            code: 'NotImplemented',
            message: 'A header you provided implies functionality that is not implemented',
          }
        : null,
    fault: /cannot write: S3 put .*: not_implemented: /,
    check: /s3:PutObject with If-None-Match: .*not_implemented/,
  },
  {
    name: 'bucket deleted',
    refuse: ({ service }) =>
      service === 's3'
        ? { status: 404, code: 'NoSuchBucket', message: 'The specified bucket does not exist' }
        : null,
    fault: /cannot write: S3 .*: no_such_bucket: /,
    check: /archive\.bucket: there is no bucket logs/,
  },
  {
    name: 'bucket in another region',
    refuse: ({ service }) =>
      service === 's3'
        ? {
            status: 301,
            code: 'PermanentRedirect',
            message:
              'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.',
            headers: { 'x-amz-bucket-region': 'eu-west-1' },
          }
        : null,
    fault: /cannot write: S3 .*: wrong_region: the bucket is in eu-west-1: set archive\.region/,
    check: /wrong_region: the bucket is in eu-west-1: set archive\.region/,
  },
  {
    name: 'stream in another region',
    refuse: ({ service }) =>
      service === 'kinesis'
        ? {
            status: 400,
            code: 'ResourceNotFoundException',
            message: 'Stream weblogs under account 123456789012 not found.',
          }
        : null,
    fault: /no stream weblogs|weblogs.* not found/i,
    check: /stream.*weblogs/,
  },
  {
    name: 'Object Lock',
    // As a bucket with a default retention answers; what carries a checksum is taken.
    refuse: (asked) =>
      isPut(asked) &&
      asked.headers['content-md5'] === undefined &&
      asked.headers['x-amz-checksum-sha256'] === undefined
        ? {
            status: 400,
            code: 'InvalidRequest',
            message:
              'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
          }
        : null,
    fault: null,
    check: null,
  },
];

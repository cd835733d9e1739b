/** What AWS refuses is found in the daemon's log by name, stays a fault while it is repeated, and says what to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusals } from '../../../../consumer/status/refusals.ts';

const cases: [line: string, reason: string | null][] = [
  [
    'Caught exception when initializing: software.amazon.awssdk.services.dynamodb.model.DynamoDbException: User: arn:aws:sts::1:assumed-role/x is not authorized to perform: dynamodb:Scan on resource: t (Service: DynamoDb, Status Code: 400)',
    'access_denied',
  ],
  ['KMSDisabledException: arn:aws:kms:eu-central-1:1:key/2 is disabled.', 'kms'],
  ['KMSAccessDeniedException: The ciphertext refers to a key that does not exist', 'kms'],
  ['ExpiredTokenException: The security token included in the request is expired', 'expired_token'],
  [
    'InvalidSignatureException: Signature expired: 20261128T100000Z is now earlier than 20261128T105500Z',
    'clock',
  ],
  ['UnrecognizedClientException: The security token included in the request is invalid.', 'credentials'],
  [
    'DependencyException: software.amazon.awssdk.services.dynamodb.model.DynamoDbException: The security token included in the request is invalid. (Service: DynamoDb, Status Code: 400, Request ID: IU3V)',
    'credentials',
  ],
  [
    'DynamoDbException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. (Service: DynamoDb, Status Code: 400)',
    'credentials',
  ],
  ['DynamoDbException: Request is missing Authentication Token (Service: DynamoDb)', 'credentials'],
  [
    'DynamoDbException: KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: The ciphertext refers to a customer master key that does not exist (Error Code: AccessDeniedException)',
    'kms',
  ],
  ['SdkClientException: Unable to load credentials from any of the providers in the chain', 'credentials'],
  ['java.net.UnknownHostException: kinesis.nowhere-1.amazonaws.com', 'unknown_host'],
  ['Http2Exception: First received frame was not SETTINGS. Hex dump for first 5 bytes: 485454502f', 'http2'],
  ...['Disabled', 'AccessDenied', 'InvalidState', 'NotFound', 'OptInRequired'].map(
    (what): [string, string] => [
      `weblogs:shardId-000000000000 :  Exception thrown while fetching records from Kinesissoftware.amazon.awssdk.services.kinesis.model.Kms${what}Exception: key/1 is disabled. (Service: Kinesis, Status Code: 400)`,
      'kms',
    ],
  ),
  ['software.amazon.awssdk.services.kinesis.model.KmsThrottlingException: Rate exceeded', null],
  ['KMSThrottlingException: Rate exceeded', null],
  ['ProvisionedThroughputExceededException: Rate exceeded for shard shardId-000000000000', null],
  ['Not able to assign all expiredOrUnAssignedLeases', null],
];

for (const [line, reason] of cases) {
  test(`${reason ?? 'nothing'}: ${line.slice(0, 60)}`, () => {
    assert.equal(new Refusals().note(line)?.reason ?? null, reason);
  });
}

test('a refusal is new once, and over two minutes after the last time', () => {
  let now = 0;
  const refusals = new Refusals(() => now);
  const line = `${'x'.repeat(5000)} AccessDeniedException: no ${'y'.repeat(5000)}`;
  const first = refusals.note(line)!;
  assert.match(first.message, /AccessDeniedException: no .*: allow this role what the message names/);
  assert.ok(first.message.length < 500);
  now = 100_000;
  assert.equal(refusals.note(line), null);
  now = 219_000;
  assert.deepEqual(
    refusals.current().map(({ reason }) => reason),
    ['access_denied'],
  );
  now = 221_000;
  assert.deepEqual(refusals.current(), []);
  assert.equal(refusals.note(line)?.reason, 'access_denied');
});

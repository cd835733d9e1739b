/** SDK clients for the embedded stack: loopback endpoints and dummy credentials. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';

export const REGION = 'us-east-1';

const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

/** The environment in which any AWS SDK talks to the stack and to nothing else. */
export const LOCAL_ENV: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  AWS_REGION: REGION,
  AWS_DEFAULT_REGION: REGION,
  AWS_EC2_METADATA_DISABLED: 'true',
};

export function kinesisOptions(endpoint: string): KinesisClientConfig {
  return { endpoint, region: REGION, credentials: CREDENTIALS };
}

export function kinesisClient(endpoint: string): KinesisClient {
  return new KinesisClient(kinesisOptions(endpoint));
}

export function dynamodbClient(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({ endpoint, region: REGION, credentials: CREDENTIALS });
}

export function s3Client(endpoint: string): S3Client {
  return new S3Client({ endpoint, region: REGION, credentials: CREDENTIALS, forcePathStyle: true });
}

/** As {@link LOCAL_ENV}, plus the endpoints: for programs without an endpoint option of their own, such as the AWS CLI. */
export function endpointEnv(endpoints: {
  readonly kinesis?: string;
  readonly dynamodb?: string;
  readonly s3: string;
}): Record<string, string> {
  return {
    ...LOCAL_ENV,
    ...(endpoints.kinesis === undefined ? {} : { AWS_ENDPOINT_URL_KINESIS: endpoints.kinesis }),
    ...(endpoints.dynamodb === undefined ? {} : { AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb }),
    AWS_ENDPOINT_URL_S3: endpoints.s3,
  };
}

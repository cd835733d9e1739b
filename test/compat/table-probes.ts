/** What a DynamoDB does of what the KCL asks of it; each answer is a short phrase for a table. */
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  UpdateTableCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { LOCAL_ENV, REGION } from '../../local/clients.ts';
import { answerOf, type Probe } from './probe.ts';

const TableName = 'probes';
const Key = { leaseKey: { S: 'one' } };
const WRITERS = 8;

export const DYNAMODB_PROBES: readonly Probe<DynamoDBClient>[] = [
  {
    about: 'a write whose condition is not met',
    amazon: '400 ConditionalCheckFailedException',
    ask: async (client) => {
      await client.send(new PutItemCommand({ TableName, Item: Key }));
      const input = { TableName, Item: Key, ConditionExpression: 'attribute_not_exists(leaseKey)' };
      return answerOf(client.send(new PutItemCommand(input)));
    },
  },
  {
    about: `a counter that ${WRITERS} writers at once raise from the same value`,
    amazon: 'one does',
    ask: async (client) => {
      await client.send(new PutItemCommand({ TableName, Item: { ...Key, leaseCounter: { N: '0' } } }));
      const raise = new UpdateItemCommand({
        TableName,
        Key,
        UpdateExpression: 'SET leaseCounter = :next',
        ConditionExpression: 'leaseCounter = :now',
        ExpressionAttributeValues: { ':now': { N: '0' }, ':next': { N: '1' } },
      });
      const answers = await Promise.all(Array.from({ length: WRITERS }, () => answerOf(client.send(raise))));
      const winners = answers.filter((status) => status === '200').length;
      return winners === 1 ? 'one does' : `${winners} do`;
    },
  },
  {
    about: 'an index added to a table that is paid per request',
    amazon: '200',
    ask: (client) =>
      answerOf(
        client.send(
          new UpdateTableCommand({
            TableName,
            AttributeDefinitions: [
              { AttributeName: 'leaseKey', AttributeType: 'S' },
              { AttributeName: 'leaseOwner', AttributeType: 'S' },
            ],
            GlobalSecondaryIndexUpdates: [
              {
                Create: {
                  IndexName: 'LeaseOwnerToLeaseKeyIndex',
                  KeySchema: [
                    { AttributeName: 'leaseOwner', KeyType: 'HASH' },
                    { AttributeName: 'leaseKey', KeyType: 'RANGE' },
                  ],
                  Projection: { ProjectionType: 'KEYS_ONLY' },
                },
              },
            ],
          }),
        ),
      ),
  },
  {
    about: 'a table that is missing',
    amazon: '400 ResourceNotFoundException',
    ask: (client) => answerOf(client.send(new GetItemCommand({ TableName: 'no-such-table', Key }))),
  },
];

/** A client without retries, and a table as the KCL makes its own. */
export async function dynamodbProbeClient(endpoint: string): Promise<DynamoDBClient> {
  const client = new DynamoDBClient({
    endpoint,
    region: REGION,
    credentials: {
      accessKeyId: LOCAL_ENV.AWS_ACCESS_KEY_ID!,
      secretAccessKey: LOCAL_ENV.AWS_SECRET_ACCESS_KEY!,
    },
    maxAttempts: 1,
  });
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'leaseKey', AttributeType: 'S' }],
    }),
  );
  await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 0.1, maxDelay: 0.5 }, { TableName });
  return client;
}

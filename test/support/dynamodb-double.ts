/** A stand-in for DynamoDB with one empty table: it denies the operations in a set, and never writes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const CONDITIONAL = new Set(['PutItem', 'UpdateItem', 'DeleteItem']);

export class DynamoDbDouble {
  readonly endpoint: string;
  /** Operations that the caller's role does not allow. */
  readonly denied = new Set<string>();
  /** Writes without a condition: none should come. */
  writes = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<DynamoDbDouble> {
    let double: DynamoDbDouble | null = null;
    const server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const operation = String(request.headers['x-amz-target']).split('.')[1]!;
      const { ConditionExpression } = JSON.parse(Buffer.concat(parts).toString()) as {
        ConditionExpression?: string;
      };
      const code = double!.#refusal(operation, ConditionExpression !== undefined);
      response.writeHead(code === null ? 200 : 400, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(code === null ? {} : { __type: code, message: `no ${operation}` }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    double = new DynamoDbDouble(server);
    return double;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #refusal(operation: string, isConditional: boolean): string | null {
    if (this.denied.has(operation)) return 'com.amazonaws.dynamodb#AccessDeniedException';
    if (!CONDITIONAL.has(operation)) return null;
    if (isConditional) return 'com.amazonaws.dynamodb#ConditionalCheckFailedException';
    this.writes += 1;
    return null;
  }
}

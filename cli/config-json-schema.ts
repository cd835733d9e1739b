/** The JSON Schema of a configuration, from the schema that the program itself checks with. */
import * as z from 'zod/mini';
import type { ConfigKind } from './config-kind.ts';

type Schema = Record<string, unknown>;

/** Any number or flag may also be a placeholder, which stands for its value. */
const PLACEHOLDER: Schema = { type: 'string', pattern: '^\\$\\{(env|file):' };
/** Defaults that differ from host to host. */
const OF_THE_HOST = ['worker_id'];

export async function jsonSchema(kind: ConfigKind): Promise<Schema> {
  const schema =
    kind === 'agent'
      ? (await import('../producer/config.ts')).agentConfig
      : (await import('../consumer/config.ts')).consumerSchema;
  const found = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
  for (const key of OF_THE_HOST) delete (found['properties'] as Record<string, Schema>)[key]?.['default'];
  return { title: `tailrace: ${kind}.yaml`, ...(withPlaceholders(found) as Schema) };
}

function withPlaceholders(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withPlaceholders);
  if (value === null || typeof value !== 'object') return value;
  const schema = Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, key === 'default' ? inner : withPlaceholders(inner)]),
  );
  const { type } = schema;
  if (type !== 'number' && type !== 'integer' && type !== 'boolean') return schema;
  const { default: fallback, ...rest } = schema;
  return { anyOf: [rest, PLACEHOLDER], ...(fallback === undefined ? {} : { default: fallback }) };
}

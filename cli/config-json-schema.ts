/** The JSON Schema of a configuration, from the schema that the program itself checks with. */
import * as z from 'zod/mini';
import type { ConfigKind } from './config-kind.ts';
import { AGENT_OPTIONS, CONSUMER_OPTIONS, KCL_OPTIONS } from './config-options.ts';

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
  const whole = withPlaceholders(found) as Schema;
  for (const { keys, means } of kind === 'agent' ? AGENT_OPTIONS : [...CONSUMER_OPTIONS, ...KCL_OPTIONS])
    for (const key of keys) describe(whole, key.split('.'), plain(means));
  return { title: `tailrace: ${kind}.yaml`, ...whole };
}

/** For editors, which show it while a key is typed. */
function describe(schema: Schema, [key, ...below]: readonly string[], description: string): void {
  const property = (schema['properties'] as Record<string, Schema>)[key!]!;
  if (below.length === 0) property['description'] = description;
  else describe(property, below, description);
}

/** Links of documents mean nothing outside them. */
function plain(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1');
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

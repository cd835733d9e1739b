/** The options that documents and editors describe are those of the schemas, with their defaults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import type * as z from 'zod/mini';
import { jsonSchema } from '../../../cli/config-json-schema.ts';
import { AGENT_OPTIONS, CONSUMER_OPTIONS, KCL_OPTIONS, type Option } from '../../../cli/config-options.ts';
import { consumerSchema } from '../../../consumer/config.ts';
import { agentConfig } from '../../../producer/config.ts';
import { optionDocuments } from '../../support/options-document.ts';

type Tree = { [key: string]: unknown };

const STREAM = { name: 'weblogs', region: 'us-east-1' };
const INPUTS = [{ type: 'tail', path: '/var/log/a.log', tag: 'a', format: 'none' }];
const KINDS = [
  {
    kind: 'agent',
    schema: agentConfig as z.ZodMiniType,
    options: AGENT_OPTIONS,
    // Sections that are off without a key of theirs.
    least: {
      state_dir: '/s',
      stream: STREAM,
      inputs: INPUTS,
      spill: { bucket: 'spilled' },
      emf: {},
    },
    elsewhere: ['inputs'],
  },
  {
    kind: 'consumer',
    schema: consumerSchema as z.ZodMiniType,
    options: [...CONSUMER_OPTIONS, ...KCL_OPTIONS],
    least: { stream: STREAM, archive: { bucket: 'archive' } },
    elsewhere: [],
  },
] as const;

/** The paths of all keys below which no further keys are named. */
function leaves(schema: Tree, path: readonly string[] = []): string[] {
  const properties = schema['properties'] as Record<string, Tree> | undefined;
  if (properties === undefined) return [path.join('.')];
  return Object.entries(properties).flatMap(([key, below]) => leaves(below, [...path, key]));
}

function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (value as Tree | undefined)?.[key], tree);
}

function withValue(tree: Tree, [key, ...below]: readonly string[], value: unknown): Tree {
  const inner = below.length === 0 ? value : withValue((tree[key!] ?? {}) as Tree, below, value);
  return { ...tree, [key!]: inner };
}

for (const { kind, schema, options, least, elsewhere } of KINDS) {
  test(`${kind}.yaml: every key is described, once, and none that there is not`, async () => {
    const known = leaves((await jsonSchema(kind)) as Tree);
    const described = options.flatMap(({ keys }) => keys);
    assert.deepEqual(described.toSorted(), known.toSorted());
    for (const { keys, means } of options) assert.notEqual(means, '', keys.join());
  });

  test(`${kind}.yaml: the defaults described are those of the schema`, () => {
    const base = schema.parse(least);
    let compared = 0;
    for (const { keys, fallback } of options.filter(
      (option) => !elsewhere.some((key) => option.keys[0] === key),
    ))
      for (const [key, text] of valuesOf(keys, fallback)) {
        const value = at(schema.parse(withValue(least, key.split('.'), parse(text))), key);
        assert.deepEqual(value, at(base, key), `${key}: ${text}`);
        compared++;
      }
    assert.ok(compared > 20, `${compared} defaults`);
  });
}

/** Each key with its default, where the table has one value for each or one for all. */
function valuesOf(keys: Option['keys'], fallback: string): [key: string, text: string][] {
  const texts = [...fallback.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);
  if (texts.length === 0) return [];
  assert.ok(texts.length === 1 || texts.length === keys.length, `${keys}: ${fallback}`);
  return keys.map((key, i) => [key, texts.length === 1 ? texts[0]! : texts[i]!]);
}

test('editors show what a key means', async () => {
  const consumer = await jsonSchema('consumer');
  assert.match(
    String(at(consumer, 'properties.kcl.properties.graceful_handoff.description')),
    /^whether the old owner .*; why not$/,
  );
  assert.match(String(at(await jsonSchema('agent'), 'properties.lanes.description')), /^lanes that a run/);
});

test('the tables in docs/ are up to date', () => {
  for (const { path, is, wanted } of optionDocuments())
    assert.ok(is === wanted, `${path} is old: npm run docs`);
});

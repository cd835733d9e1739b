/**
 * Reads a YAML configuration and reports each fault on one line with the path of its key.
 * The types for durations and sizes are in base/units.ts.
 */
import { readFileSync } from 'node:fs';
import { type Document, parseDocument } from 'yaml';
import * as z from 'zod/mini';
import { TailraceError } from '../base/errors.ts';

/** Thrown for a configuration that cannot be used; the commands exit with code 2. */
export class ConfigError extends TailraceError {
  constructor(message: string, cause?: unknown) {
    super('CONFIG', message, { cause });
  }
}

/**
 * Parses and checks a configuration file.
 *
 * @throws ConfigError with a line per fault: `agent.yaml: inputs[0].path: …`
 */
export function loadConfig<T extends z.core.$ZodType>(file: string, schema: T): z.output<T> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
  const document = parseDocument(text, { prettyErrors: true });
  const fault = document.errors[0];
  if (fault) throw new ConfigError(`${file}: ${fault.message.split('\n')[0]}`, fault);
  return checkConfig(file, plainValue(file, document) ?? {}, schema);
}

/** @throws ConfigError for aliases that would exhaust memory or refer to nothing */
function plainValue(file: string, document: Document): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new ConfigError(`${file}: ${(cause as Error).message}`, cause);
  }
}

/**
 * Checks a configuration that has already been parsed.
 *
 * @param name the configuration's name in messages
 * @throws ConfigError as {@link loadConfig}
 */
export function checkConfig<T extends z.core.$ZodType>(name: string, value: unknown, schema: T): z.output<T> {
  const result = z.safeParse(schema, value, { error: z.locales.en().localeError });
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap(flatten).map((issue) => `${name}: ${describe(issue, value)}`);
  throw new ConfigError(lines.join('\n'));
}

type Issue = z.core.$ZodIssue;

/** For a union that failed, the faults of the closest alternative: the one with the right `type`, if any. */
function flatten(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0]!;
  return closest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(flatten);
}

function describe(issue: Issue, root: unknown): string {
  const where = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => pathText([...issue.path, key]));
    return keys.map((key) => `${key}: unknown key`).join(', ');
  }
  const missing = issue.code === 'invalid_type' && valueAt(root, issue.path) === undefined;
  const message = missing ? 'is missing' : issue.message.replace(/^Invalid input: /, '');
  return where === '' ? message : `${where}: ${message}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
    '',
  );
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/**
 * Reads a YAML configuration, fills in `${env:NAME}` and `${file:/path}`, and reports each fault on one line with its
 * place, the path of its key and what was found there. The types for durations and sizes are in base/units.ts.
 */
import { readFileSync } from 'node:fs';
import { type Document, isCollection, isMap, LineCounter, type Node, parseDocument } from 'yaml';
import * as z from 'zod/mini';
import { TailraceError } from '../base/errors.ts';
import { systemReason } from '../base/system-error.ts';
import { defaultWords, type Fault, faultsOf } from './config-faults.ts';
import { type ConfigKind, kindOf, wrongKind } from './config-kind.ts';
import { keysAt } from './config-schema.ts';
import { type Filled, fillIn } from './config-values.ts';

/** Thrown for a configuration that cannot be used; the commands exit with code 2. */
export class ConfigError extends TailraceError {
  constructor(message: string, cause?: unknown) {
    super('CONFIG', message, { cause });
  }
}

/** A parsed file whose placeholders are filled in. */
interface Source {
  readonly file: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  readonly filled: Filled;
  readonly value: unknown;
}

/**
 * Parses and checks a configuration file.
 *
 * @throws ConfigError with a line per fault: `agent.yaml:7:5: inputs[0].path: …`
 */
export function loadConfig<T extends z.core.$ZodType>(file: string, schema: T): z.output<T> {
  const source = readSource(file);
  const expected: ConfigKind = keysAt(schema, [], undefined).includes('archive') ? 'consumer' : 'agent';
  const wrong = wrongKind(source.value, expected);
  if (wrong !== null) throw new ConfigError(`${file}: ${wrong}`);
  return check(schema, source.value, {
    isSecret: (path) => source.filled.has(source.document.getIn(path, true)),
    place: (fault) => offsetOf(fault, source),
    name: (offset) => `${file}${at(offset, source.lines)}`,
  });
}

/**
 * Whether a file configures an agent or a consumer, by its keys.
 *
 * @throws ConfigError when it cannot be read, or is neither
 */
export function configKind(file: string): ConfigKind {
  const kind = kindOf(readSource(file).value);
  if (kind !== null) return kind;
  throw new ConfigError(
    `${file}: neither an agent's configuration (with state_dir and inputs) nor a consumer's (with archive)`,
  );
}

/**
 * Checks a configuration that has already been parsed.
 *
 * @param name the configuration's name in messages
 * @throws ConfigError with a line per fault: `agent.yaml: inputs[0].path: …`
 */
export function checkConfig<T extends z.core.$ZodType>(name: string, value: unknown, schema: T): z.output<T> {
  return check(schema, value, { isSecret: () => false, place: () => 0, name: () => name });
}

interface Surroundings {
  isSecret(path: readonly PropertyKey[]): boolean;
  /** The offset of a fault in the file. */
  place(fault: Fault): number;
  /** How messages name that place. */
  name(offset: number): string;
}

function check<T extends z.core.$ZodType>(
  schema: T,
  value: unknown,
  { isSecret, place, name }: Surroundings,
): z.output<T> {
  const result = z.safeParse(schema, value, { error: defaultWords });
  if (result.success) return result.data;
  const faults = faultsOf(result.error.issues, schema, value, isSecret)
    .map((fault) => ({ offset: place(fault), text: fault.text }))
    .toSorted((a, b) => a.offset - b.offset);
  throw new ConfigError(faults.map(({ offset, text }) => `${name(offset)}: ${text}`).join('\n'));
}

function readSource(file: string): Source {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be read: ${systemReason(cause)}`, cause);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const [error] = document.errors;
  if (error) {
    const hint = /\{[^\n]*\$\{/.test(text)
      ? `; inside { }, a placeholder such as "\${env:NAME}" needs quotes`
      : '';
    throw new ConfigError(`${file}${at(error.pos[0], lines)}: ${error.message}${hint}`, error);
  }
  // Aliases first: one that refers to nothing, or to too much, has no value to fill in.
  plainValue(file, document);
  const { faults, filled } = fillIn(document, process.env);
  if (faults.length > 0) {
    const messages = faults.map(({ node, message }) => `${file}${at(node.range?.[0], lines)}: ${message}`);
    throw new ConfigError(messages.join('\n'));
  }
  return { file, document, lines, filled, value: plainValue(file, document) ?? {} };
}

/** @throws ConfigError for aliases that would exhaust memory or refer to nothing */
function plainValue(file: string, document: Document): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new ConfigError(`${file}: ${(cause as Error).message}`, cause);
  }
}

/** Where a fault is: at an unknown key itself, at a value, or at the innermost mapping that lacks it. */
function offsetOf({ path, key }: Fault, { document }: Source): number {
  if (key !== undefined) {
    const map = path.length === 0 ? document.contents : document.getIn(path, true);
    const pair = isMap(map) ? map.items.find((item) => String(item.key) === key) : undefined;
    const node = pair?.key as Node | undefined;
    if (node?.range) return node.range[0];
  }
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as Node | undefined;
    if (node?.range && (length === path.length || isCollection(node))) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function at(offset: number | undefined, lines: LineCounter): string {
  if (offset === undefined) return '';
  const { line, col } = lines.linePos(offset);
  return line === 0 ? '' : `:${line}:${col}`;
}

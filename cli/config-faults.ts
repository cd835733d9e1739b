/** Puts what is wrong with a configuration into words: the path, what was expected, what was found, "did you mean". */
import type * as z from 'zod/mini';
import { closest } from '../base/closest.ts';
import { choicesAt, keysAt } from './config-schema.ts';

type Issue = z.core.$ZodIssue;

export interface Fault {
  /** Where it is; of an unknown key, the path of its mapping. */
  readonly path: readonly PropertyKey[];
  /** The unknown key. */
  readonly key?: string;
  readonly text: string;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of keys to values',
};
const FORMATS: Readonly<Record<string, string>> = { url: 'a URL such as https://host:port' };
/** Values of these keys are never shown. */
const SECRET = /key|secret|password|token|credential/i;
const LONGEST_SHOWN = 40;
const NO_WORDS = 'is not valid here';

/** The message of a rule that brings no message of its own; a parameter of the validator. */
export function defaultWords(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return bound(issue.origin, Number(issue.minimum), 'at least');
    case 'too_big':
      return bound(issue.origin, Number(issue.maximum), 'at most');
    case 'invalid_value':
      return `expected ${oneOf(issue.values.map(String))}`;
    case 'invalid_format':
      return `expected ${FORMATS[issue.format] ?? `text in the form ${issue.pattern ?? issue.format}`}`;
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}`;
    default:
      return NO_WORDS;
  }
}

function bound(origin: string, limit: number, side: 'at least' | 'at most'): string {
  if (origin === 'string')
    return side === 'at least' && limit === 1 ? 'must not be empty' : `expected ${side} ${limit} characters`;
  if (origin === 'array' || origin === 'set')
    return `expected ${side} ${limit} ${limit === 1 ? 'entry' : 'entries'}`;
  return `expected ${side} ${limit}`;
}

function oneOf(choices: readonly string[]): string {
  return choices.length > 1 ? `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}` : `${choices[0]}`;
}

/** @param isSecret whether the value at a path came from outside the file and must not be shown */
export function faultsOf(
  issues: readonly Issue[],
  schema: z.core.$ZodType,
  root: unknown,
  isSecret: (path: readonly PropertyKey[]) => boolean,
): Fault[] {
  return issues
    .flatMap((issue) => flatten(issue, schema, root))
    .flatMap((issue): Fault[] => {
      const path = issue.path.slice(0, depthOf(root, issue.path));
      if (issue.code === 'unrecognized_keys') {
        const known = keysAt(schema, path, root);
        return issue.keys.map((key) => ({ path, key, text: unknownKey([...path, key], key, known) }));
      }
      const where = pathText(path);
      const found = valueAt(root, path);
      if (found === undefined && issue.code !== 'custom')
        return [{ path, text: missing(where, choicesAt(schema, issue.path, root)) }];
      const expected = wordsFor(issue, choicesAt(schema, issue.path, root));
      const seen = issue.code === 'custom' && !/^expected/.test(expected) ? '' : shown(path, found, isSecret);
      const similar = typeof found === 'string' ? closest(found, choicesAt(schema, issue.path, root)) : null;
      const hint = similar === null ? '' : `; did you mean ${similar}?`;
      return [{ path, text: `${where === '' ? '' : `${where}: `}${expected}${seen}${hint}` }];
    });
}

/** For alternatives of which none fits: the choice of the discriminator, where that is what is wrong. */
function wordsFor(issue: Issue, choices: readonly string[]): string {
  const isChoice = issue.code === 'invalid_union' || issue.code === 'invalid_value';
  return isChoice && choices.length > 0 ? `expected ${oneOf(choices)}` : issue.message;
}

/**
 * For alternatives that failed, the faults of the closest one: of a mapping the one with the right `type`, if any; a
 * text where texts are a choice is a wrong choice.
 */
function flatten(issue: Issue, schema: z.core.$ZodType, root: unknown): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const value = valueAt(root, issue.path);
  const hasWords = issue.message !== NO_WORDS || choicesAt(schema, issue.path, root).length > 0;
  if ((value === null || typeof value !== 'object') && hasWords) return [issue];
  const fitting = issue.errors.filter((inner) => !inner.some(isWrongType));
  const closestOne = (fitting.length > 0 ? fitting : issue.errors).toSorted(
    (a, b) => a.length - b.length,
  )[0]!;
  return closestOne
    .map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
    .flatMap((inner) => flatten(inner, schema, root));
}

function isWrongType({ code, path }: Issue): boolean {
  return code === 'invalid_type' && path.length === 0;
}

function unknownKey(path: readonly PropertyKey[], key: string, known: readonly string[]): string {
  const similar = closest(key, known);
  const hint = similar === null ? '' : `; did you mean ${similar}?`;
  return `${pathText(path)}: unknown key${hint}`;
}

function missing(where: string, choices: readonly string[]): string {
  return `${where}: is missing${choices.length > 0 ? `: expected ${oneOf(choices)}` : ''}`;
}

function shown(
  path: readonly PropertyKey[],
  value: unknown,
  isSecret: (path: readonly PropertyKey[]) => boolean,
): string {
  if (isSecret(path)) return ', found something else in the environment or the file that it names';
  if (path.some((key) => SECRET.test(String(key)))) return '';
  if (value === null) return ', found nothing';
  if (Array.isArray(value)) return ', found a list';
  if (typeof value === 'object') return ', found a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return `, found ${text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text}`;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
    '',
  );
}

/** How much of a path exists: where a text stands for a mapping, such as a format's name, the rest of it does not. */
function depthOf(root: unknown, path: readonly PropertyKey[]): number {
  const scalar = path.findIndex((_, i) => {
    const value = valueAt(root, path.slice(0, i));
    return value !== undefined && (value === null || typeof value !== 'object');
  });
  return scalar === -1 ? path.length : scalar;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

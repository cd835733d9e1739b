/**
 * Values of a configuration that come from outside it: `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` in any
 * value. `$${env:NAME}` stands for the literal text. Other placeholders, such as a tag's `${name}`, are left alone.
 */
import { readFileSync } from 'node:fs';
import { type Document, isScalar, Scalar, visit } from 'yaml';
import { systemReason } from '../base/system-error.ts';

const PLACEHOLDER = /(\$?)\$\{(env|file):([^}]*)\}/g;
const NAME = /^([A-Za-z_]\w*)(?::-(.*))?$/s;

/** Where a value cannot be filled in. */
export interface ValueFault {
  readonly node: Scalar;
  readonly message: string;
}

/** Nodes whose values came from outside: faults must not show these values. */
export type Filled = ReadonlySet<unknown>;

/** Fills in the placeholders of a document in place. */
export function fillIn(
  document: Document,
  env: Readonly<Record<string, string | undefined>>,
): { readonly faults: readonly ValueFault[]; readonly filled: Filled } {
  const faults: ValueFault[] = [];
  const filled = new Set<unknown>();
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      try {
        const text = node.value;
        const value = text.replace(PLACEHOLDER, (whole, dollar: string, kind: string, rest: string) =>
          dollar === '$' ? whole.slice(1) : kind === 'env' ? variable(rest, env) : content(rest),
        );
        if (value === text) return;
        filled.add(node);
        node.value = isWhole(node, text) ? plainScalar(document, value) : value;
      } catch (error) {
        faults.push({ node, message: (error as Error).message });
      }
    },
  });
  return { faults, filled };
}

/** An unquoted value that is nothing but one placeholder takes the type that its text has in YAML: `8`, `true`. */
function isWhole(node: Scalar, text: string): boolean {
  return node.type === Scalar.PLAIN && /^\$\{(env|file):[^}]*\}$/.test(text);
}

function plainScalar(document: Document, text: string): unknown {
  for (const tag of document.schema?.tags ?? []) {
    if (!('test' in tag) || !tag.test?.test(text) || tag.collection !== undefined) continue;
    const value: unknown = tag.resolve(text, () => {}, document.options as never);
    return isScalar(value) ? value.value : value;
  }
  return text;
}

function variable(rest: string, env: Readonly<Record<string, string | undefined>>): string {
  const [, name, fallback] = NAME.exec(rest) ?? [];
  if (name === undefined)
    throw new Error(`\${env:${rest}}: expected the name of an environment variable, such as \${env:REGION}`);
  const value = env[name] ?? fallback;
  if (value === undefined)
    throw new Error(
      `\${env:${name}}: the environment variable ${name} is not set; set it, or write \${env:${name}:-default}`,
    );
  return value;
}

function content(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new Error(`\${file:${path}}: cannot be read: ${systemReason(cause)}`, { cause });
  }
}

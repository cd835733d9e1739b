/** Has something happen right before one of the calls by which a program looks at files: a race, made to order. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const CALLS = [
  'statSync',
  'lstatSync',
  'fstatSync',
  'openSync',
  'readSync',
  'readdirSync',
  'readlinkSync',
] as const;

/**
 * Runs `work`, with `happen` right before its call number `before`, counted from 0.
 *
 * @returns the calls that it made
 */
export async function betweenCalls(
  before: number,
  happen: () => void,
  work: () => Promise<unknown>,
): Promise<readonly string[]> {
  const own: Record<string, unknown> = { ...fs };
  const originals = CALLS.map((name) => [name, own[name]] as const);
  const calls: string[] = [];
  let inside = false;
  for (const [name, original] of originals) {
    (fs as unknown as Record<string, unknown>)[name] = (...parameters: unknown[]) => {
      if (!inside) {
        inside = true;
        if (calls.push(name) === before + 1) happen();
        inside = false;
      }
      return (original as (...parameters: unknown[]) => unknown)(...parameters);
    };
  }
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    for (const [name, original] of originals) (fs as unknown as Record<string, unknown>)[name] = original;
    syncBuiltinESMExports();
  }
  return calls;
}

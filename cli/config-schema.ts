/** Looks up what a configuration schema allows at a path: the known keys of a mapping, the choices of a value. */
import type * as z from 'zod/mini';

type Schema = z.core.$ZodType;
type Path = readonly PropertyKey[];

/** The parts of zod's definitions that lead from a schema to those inside it. */
interface Def {
  readonly type: string;
  readonly innerType?: Schema;
  readonly in?: Schema;
  readonly out?: Schema;
  readonly element?: Schema;
  readonly valueType?: Schema;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly options?: readonly Schema[];
  readonly entries?: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
}

/** The keys that the mapping at `path` may have; for a list of alternatives, those that fit `value` by its `type`. */
export function keysAt(schema: Schema, path: Path, value: unknown): string[] {
  const keys = schemasAt(schema, path, value).flatMap((found) => Object.keys(defOf(found).shape ?? {}));
  return [...new Set(keys)];
}

/** The texts that the value at `path` may be, where there is a fixed choice. */
export function choicesAt(schema: Schema, path: Path, value: unknown): string[] {
  const choices = schemasAt(schema, path, value).flatMap((found) => {
    const { entries, values } = defOf(found);
    return [...Object.values(entries ?? {}), ...(values ?? []).map(String)];
  });
  return [...new Set(choices)];
}

function schemasAt(schema: Schema, path: Path, value: unknown): Schema[] {
  let level = alternatives(schema, value);
  let at = value;
  for (const key of path) {
    at = at !== null && typeof at === 'object' ? (at as Record<PropertyKey, unknown>)[key] : undefined;
    level = level.flatMap((found) => {
      const inner = inside(defOf(found), key);
      return inner ? alternatives(inner, at) : [];
    });
  }
  return level;
}

function inside({ type, shape, element, valueType }: Def, key: PropertyKey): Schema | undefined {
  if (type === 'object') return shape?.[String(key)];
  return type === 'array' ? element : type === 'record' ? valueType : undefined;
}

/** The schema without its wrappers; of a union, every alternative, or those whose `type` is the value's. */
function alternatives(schema: Schema, value: unknown): Schema[] {
  const { innerType, in: input, out, options } = defOf(schema);
  if (innerType) return alternatives(innerType, value);
  if (input) return alternatives(defOf(input).type === 'transform' ? out! : input, value);
  if (!options) return [schema];
  const all = options.flatMap((option) => alternatives(option, value));
  const type = value !== null && typeof value === 'object' ? (value as { type?: unknown }).type : undefined;
  const fitting = all.filter((option) => choicesOfType(option).includes(String(type)));
  return fitting.length > 0 ? fitting : all;
}

function choicesOfType(schema: Schema): string[] {
  const type = defOf(schema).shape?.['type'];
  return type ? (defOf(alternatives(type, undefined)[0]!).values ?? []).map(String) : [];
}

function defOf(schema: Schema): Def {
  return schema._zod.def as unknown as Def;
}

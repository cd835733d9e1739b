/** Values of other agents' configurations, with what comes from the environment written as tailrace does: `${env:NAME}`. */

const CALL =
  /#\{\s*ENV(?:\[\s*['"](\w+)['"]\s*\]|\.fetch\(\s*['"](\w+)['"]\s*(?:,\s*(['"])(.*?)\3\s*)?\))(?:\s*\|\|\s*(['"])(.*?)\5)?\s*\}/g;

/** fluentd's: Ruby between `#{` and `}`. What is neither a variable nor one with a text in its place stays. */
export function rubyValue(value: string): string {
  return value.replaceAll(
    CALL,
    (_, one: string | undefined, other: string | undefined, _q1, inFetch, _q2, after) =>
      environment(one ?? other!, inFetch ?? after),
  );
}

/** Fluent Bit's: `${NAME}`, of variables that the configuration sets itself, or of the environment. */
export function setValue(value: string, variables: ReadonlyMap<string, string>): string {
  return value.replaceAll(
    /\$\{(?!HOSTNAME\})(\w+)\}/g,
    (_, name: string) => variables.get(name) ?? environment(name),
  );
}

/** Vector's: `${NAME}`, `${NAME:-text}`, `${NAME-text}` and `${NAME:?message}`. */
export function vectorValue(value: string): string {
  return value.replaceAll(/\$\{(\w+)(?::?-([^}]*)|:?\?[^}]*)?\}/g, (_, name: string, text?: string) =>
    environment(name, text),
  );
}

function environment(name: string, text?: string): string {
  return `\${env:${name}${text === undefined ? '' : `:-${text}`}}`;
}

/** The name of a field, which may be written as a path into the record: `$.a.b`, `$['a']['b']`, `$a['b']`. */
export function fieldName(text: string): string {
  if (!text.startsWith('$')) return text;
  return text
    .slice(1)
    .replaceAll(
      /\[\s*(?:'([^']*)'|"([^"]*)"|(\d+))\s*\]/g,
      (_, one, other, index) => `.${one ?? other ?? index}`,
    )
    .replace(/^\./, '');
}

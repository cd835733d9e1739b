/** Reads Fluent Bit's classic configuration: `[INPUT]`, `[FILTER]`, `[OUTPUT]`, `[PARSER]` with keys and values. */
import { type Property, type Role, Section } from './section.ts';
import { setValue } from './values.ts';

const ROLES: Readonly<Record<string, Role>> = {
  input: 'input',
  filter: 'filter',
  output: 'output',
  parser: 'parser',
  multiline_parser: 'multiline',
  service: 'service',
};

export function parseFluentBit(text: string): Section[] {
  const sections: Section[] = [];
  const variables = new Map<string, string>();
  let open: { name: string; line: number; properties: Property[] } | null = null;
  const close = (): void => {
    if (open) sections.push(fluentBitSection(open.name, open.line, open.properties, { variables }));
  };
  text.split(/\r?\n/).forEach((raw, i) => {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) return;
    const heading = /^\[(\w+)\]$/.exec(content);
    const set = /^@set\s+(\w+)\s*=\s*(.*)$/i.exec(content);
    if (set) variables.set(set[1]!, set[2]!);
    if (set) return;
    if (heading) {
      close();
      open = { name: heading[1]!.toLowerCase(), line: i + 1, properties: [] };
      return;
    }
    const [, key, value] = /^(\S+)\s*(.*)$/.exec(content)!;
    // A command such as @INCLUDE is of no section.
    if (open && !key!.startsWith('@'))
      open.properties.push({ key: key!.toLowerCase(), value: value!, line: i + 1 });
    else sections.push(new Section('other', `${key} ${value}`.trim(), i + 1));
  });
  close();
  return sections;
}

/**
 * A section of either of Fluent Bit's syntaxes.
 *
 * @param variables those that the configuration sets itself
 * @param source its own name, where it is wired to an input, or is one to which filters are
 */
export function fluentBitSection(
  name: string,
  line: number,
  written: readonly Property[],
  { variables, source }: { variables: ReadonlyMap<string, string>; source?: string | undefined },
): Section {
  const role = ROLES[name] ?? 'other';
  const properties = written.map((property) => ({ ...property, value: setValue(property.value, variables) }));
  const common = { dialect: 'fluent-bit', ...(source === undefined ? {} : { sources: [source] }) } as const;
  if (role === 'other' || role === 'service') return new Section(role, name, line, { ...common, properties });
  const type = properties.find(({ key }) => key === 'name')?.value.toLowerCase() ?? '';
  const match = properties
    .filter(({ key }) => key === 'match' || key === 'match_regex')
    .map(({ key, value }) => (key === 'match' ? value : `/${value}/`));
  const own = new Set(['name', 'match', 'match_regex', 'alias']);
  const rest = properties.filter(({ key }) => !own.has(key));
  return new Section(role, type, line, { ...common, properties: rest, match });
}

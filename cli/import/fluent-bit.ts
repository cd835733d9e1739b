/** Reads Fluent Bit's classic configuration: `[INPUT]`, `[FILTER]`, `[OUTPUT]`, `[PARSER]` with keys and values. */
import { type Property, type Role, Section } from './section.ts';

const ROLES: Readonly<Record<string, Role>> = {
  input: 'input',
  filter: 'filter',
  output: 'output',
  parser: 'parser',
};

export function parseFluentBit(text: string): Section[] {
  const sections: Section[] = [];
  let open: { name: string; line: number; properties: Property[] } | null = null;
  const close = (): void => {
    if (open) sections.push(fluentBitSection(open.name, open.line, open.properties));
  };
  text.split(/\r?\n/).forEach((raw, i) => {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) return;
    const heading = /^\[(\w+)\]$/.exec(content);
    if (heading) {
      close();
      open = { name: heading[1]!.toLowerCase(), line: i + 1, properties: [] };
      return;
    }
    const [, key, value] = /^(\S+)\s*(.*)$/.exec(content)!;
    if (open) open.properties.push({ key: key!.toLowerCase(), value: value!, line: i + 1 });
    else sections.push(new Section('other', key!, i + 1));
  });
  close();
  return sections;
}

/** A section of either of Fluent Bit's syntaxes. */
export function fluentBitSection(name: string, line: number, properties: readonly Property[]): Section {
  const role = ROLES[name] ?? 'other';
  if (role === 'other') return new Section(role, name, line, { properties });
  const type = properties.find(({ key }) => key === 'name')?.value.toLowerCase() ?? '';
  const match = properties.filter(({ key }) => key === 'match').map(({ value }) => value);
  const rest = properties.filter(({ key }) => key !== 'name' && key !== 'match' && key !== 'alias');
  return new Section(role, type, line, { properties: rest, match });
}

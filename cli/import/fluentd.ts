/** Reads fluentd's configuration: `<source>`, `<filter tag>`, `<match tag>` with nested sections. */
import { type Property, type Role, Section } from './section.ts';

const ROLES: Readonly<Record<string, Role>> = { source: 'input', filter: 'filter', match: 'output' };

interface Open {
  readonly name: string;
  readonly argument: string;
  readonly line: number;
  readonly properties: Property[];
  readonly children: Section[];
}

export function parseFluentd(text: string): Section[] {
  const top: Section[] = [];
  const open: Open[] = [];
  text.split(/\r?\n/).forEach((raw, i) => {
    const line = i + 1;
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) return;
    const opening = /^<([\w@]+)(?:\s+([^>]*))?>$/.exec(content);
    if (opening) {
      open.push({
        name: opening[1]!,
        argument: (opening[2] ?? '').trim(),
        line,
        properties: [],
        children: [],
      });
    } else if (/^<\/\w+>$/.test(content)) {
      const closed = open.pop();
      if (closed === undefined) return;
      // A label only groups what is in it.
      if (closed.name === 'label') (open.at(-1)?.children ?? top).push(...closed.children);
      else
        (open.at(-1)?.children ?? top).push(
          section(closed, open.length === 0 || open.at(-1)?.name === 'label'),
        );
    } else {
      const [, key, value] = /^(\S+)\s*(.*)$/.exec(content)!;
      const property = { key: key!, value: unquoted(value!), line };
      if (open.length > 0) open.at(-1)!.properties.push(property);
      else top.push(new Section('other', key!, line));
    }
  });
  return top;
}

function section({ name, argument, line, properties, children }: Open, isTop: boolean): Section {
  const role = isTop ? (ROLES[name] ?? 'other') : 'other';
  const isType = ({ key }: Property): boolean => key === '@type' || (key === 'type' && role !== 'other');
  const type = properties.find(isType)?.value ?? (role === 'other' ? name : '');
  const rest = properties.filter(
    (property) => !isType(property) && property.key !== '@id' && property.key !== '@log_level',
  );
  // A nested section such as <parse> is known by its own name, and keeps its type as a property.
  const own = role === 'other' && !isTop ? [...rest, ...properties.filter(isType)] : rest;
  const match = argument
    .replace(/^\{(.*)\}$/, '$1')
    .split(/[\s,]+/)
    .filter(Boolean);
  return new Section(role, role === 'other' ? name : type, line, { properties: own, children, match });
}

function unquoted(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"|^'([^']*)'/.exec(value);
  if (quoted) return (quoted[1] ?? quoted[2]!).replaceAll(/\\(["\\])/g, '$1');
  return value.replace(/\s+#.*$/, '').trim();
}

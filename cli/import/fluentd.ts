/** Reads fluentd's configuration: `<source>`, `<filter tag>`, `<match tag>` with nested sections. */
import { type Property, type Role, Section } from './section.ts';
import { rubyValue } from './values.ts';

const ROLES: Readonly<Record<string, Role>> = {
  source: 'input',
  filter: 'filter',
  match: 'output',
  system: 'service',
};

interface Open {
  readonly name: string;
  readonly argument: string;
  readonly line: number;
  readonly properties: Property[];
  readonly children: Section[];
}

/** @throws Error that names the line where a section is closed that is not open, or is never closed */
export function parseFluentd(text: string): Section[] {
  const top: Section[] = [];
  const open: Open[] = [];
  const lines = text.split(/\r?\n/);
  lines.forEach((raw, i) => {
    const line = i + 1;
    const content = withContinuation(raw.trim(), lines, i);
    if (content === '' || content.startsWith('#')) return;
    const opening = /^<([\w@]+)(?:\s+([^>]*))?>\s*(?:#.*)?$/.exec(content);
    const closing = /^<\/(\w+)>\s*(?:#.*)?$/.exec(content);
    if (opening) {
      open.push({
        name: opening[1]!,
        argument: (opening[2] ?? '').trim(),
        line,
        properties: [],
        children: [],
      });
    } else if (closing) {
      const last = open.pop();
      if (last === undefined || last.name !== closing[1]) {
        const what = last === undefined ? 'nothing is open' : `<${last.name}> of line ${last.line} is open`;
        throw new Error(`line ${line}: ${closing[0]} although ${what}`);
      }
      add(last, open, top);
    } else {
      const [, key, value] = /^(\S+)\s*(.*)$/.exec(content)!;
      const property = { key: key!, value: rubyValue(unquoted(value!)), line };
      if (open.length > 0 && key !== '@include') open.at(-1)!.properties.push(property);
      else top.push(new Section('other', content, line));
    }
  });
  const [unclosed] = open;
  if (unclosed) throw new Error(`line ${unclosed.line}: <${unclosed.name}> is never closed`);
  return top;
}

/** A line with those behind it that a list or a hash goes on in, which are emptied. */
function withContinuation(content: string, lines: string[], at: number): string {
  const isOpen = (text: string): boolean =>
    /^\S+\s+[[{]/.test(text) && text.split(/[[{]/).length > text.split(/[\]}]/).length;
  let whole = content;
  for (let i = at + 1; isOpen(whole) && i < lines.length && !/^\s*<\/?\w/.test(lines[i]!); i++) {
    whole += ` ${lines[i]!.trim()}`;
    lines[i] = '';
  }
  return whole;
}

/** Adds a section that ends to the one around it. A label only groups what is in it. */
function add(closed: Open, open: readonly Open[], top: Section[]): void {
  const parent = open.at(-1);
  const siblings = parent?.children ?? top;
  if (closed.name === 'label') siblings.push(...closed.children);
  else {
    const label = open.find(({ name }) => name === 'label')?.argument ?? '';
    siblings.push(section(closed, parent === undefined || parent.name === 'label', label));
  }
}

function section(
  { name, argument, line, properties, children }: Open,
  isTop: boolean,
  label: string,
): Section {
  const role = isTop ? (ROLES[name] ?? 'other') : 'other';
  const isType = ({ key }: Property): boolean => key === '@type' || (key === 'type' && role !== 'other');
  const type = properties.find(isType)?.value ?? (role === 'other' ? name : '');
  const rest = properties.filter(
    (property) => !isType(property) && property.key !== '@id' && property.key !== '@log_level',
  );
  // A nested section such as <parse> is known by its own name, and keeps its type as a property.
  const own = role === 'other' && !isTop ? [...rest, ...properties.filter(isType)] : rest;
  const match = argument.split(/\s+/).filter(Boolean).map(rubyValue);
  return new Section(role, role === 'other' ? name : type, line, { properties: own, children, match, label });
}

/** What stands behind a backslash between double quotes. */
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  0: '\0',
};

function unquoted(value: string): string {
  // Ruby in it may have quotes of its own.
  const quoted = /^"((?:#\{[^}]*\}|[^"\\]|\\.)*)"|^'((?:[^'\\]|\\.)*)'/.exec(value);
  if (quoted?.[1] !== undefined)
    return quoted[1].replaceAll(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
  if (quoted) return quoted[2]!.replaceAll(/\\(['\\])/g, '$1');
  return value.replace(/\s+#.*$/, '').trim();
}

/** Reads the YAML configurations of Fluent Bit (`pipeline:`) and of Vector (`sources:`, `transforms:`, `sinks:`). */
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { fluentBitSection } from './fluent-bit.ts';
import { type Property, Section } from './section.ts';

type Lines = (node: unknown) => number;

/** @throws Error for text that is not YAML */
export function parseYaml(text: string): Section[] {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  if (document.errors[0]) throw document.errors[0];
  const lineOf: Lines = (node) => {
    const offset = (node as Node | null)?.range?.[0];
    return offset === undefined ? 1 : counter.linePos(offset).line;
  };
  const root = document.contents;
  if (!isMap(root)) return [];
  return root.has('pipeline') || root.has('service') ? fluentBit(root, lineOf) : vector(root, lineOf);
}

function fluentBit(root: YAMLMap, lineOf: Lines): Section[] {
  const sections: Section[] = [];
  const add = (name: string, list: unknown): void => {
    for (const item of isSeq(list) ? list.items : [list]) {
      sections.push(
        isMap(item)
          ? fluentBitSection(name, lineOf(item), propertiesOf(item, lineOf))
          : new Section('other', name, lineOf(item)),
      );
    }
  };
  for (const pair of root.items) {
    const key = String(pair.key);
    if (key === 'parsers') add('parser', pair.value);
    else if (key === 'pipeline' && isMap(pair.value))
      for (const inner of pair.value.items) add(String(inner.key).replace(/s$/, ''), inner.value);
    else sections.push(new Section('other', key, lineOf(pair.key)));
  }
  return sections;
}

const VECTOR = { sources: 'input', transforms: 'filter', sinks: 'output' } as const;

function vector(root: YAMLMap, lineOf: Lines): Section[] {
  const sourcesOf = vectorGraph(root);
  return root.items.flatMap((pair): Section[] => {
    const role = VECTOR[String(pair.key) as keyof typeof VECTOR];
    if (role === undefined || !isMap(pair.value))
      return [new Section('other', String(pair.key), lineOf(pair.key))];
    return pair.value.items.flatMap((component: Pair) => {
      if (!isMap(component.value))
        return [new Section('other', String(component.key), lineOf(component.key))];
      const properties = propertiesOf(component.value, lineOf);
      const type = properties.find(({ key }) => key === 'type')?.value ?? '';
      const rest = properties.filter(({ key }) => key !== 'type' && key !== 'inputs');
      // Components are wired by name and not by tag; a source's name becomes the tag.
      const named =
        role === 'input'
          ? [...rest, { key: 'tag', value: String(component.key), line: lineOf(component.key) }]
          : rest;
      const sources = sourcesOf(String(component.key));
      return [new Section(role, type, lineOf(component.key), { properties: named, match: ['**'], sources })];
    });
  });
}

/** The names of the sources from which events come to a component, itself when it is one. */
function vectorGraph(root: YAMLMap): (name: string) => string[] {
  const components = root.toJSON() as Record<string, Record<string, { inputs?: unknown }> | undefined>;
  const sources = Object.keys(components['sources'] ?? {});
  const wired = { ...components['transforms'], ...components['sinks'] };
  const visit = (name: string, seen: Set<string>): void => {
    if (seen.has(name)) return;
    seen.add(name);
    // A transform with several outputs is named with the one that is meant: `route.errors`.
    const inputs = [wired[name]?.inputs ?? wired[name.split('.')[0]!]?.inputs ?? []].flat() as string[];
    for (const input of inputs) {
      const pattern = new RegExp(
        `^${input.replaceAll(/[.+?^${'$'}{}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`,
      );
      const named = [...sources, ...Object.keys(wired)].filter((each) => pattern.test(each));
      for (const each of named.length > 0 ? named : [input]) visit(each, seen);
    }
  };
  return (name) => {
    const seen = new Set<string>();
    visit(name, seen);
    return sources.filter((source) => seen.has(source));
  };
}

/** Keys and values; a list gives its key once per item, a mapping gives dotted keys. */
function propertiesOf(map: YAMLMap, lineOf: Lines, prefix = ''): Property[] {
  return map.items.flatMap(({ key, value }): Property[] => {
    const name = `${prefix}${String(key)}`;
    const values = isSeq(value) ? value.items : [value];
    return values.flatMap((item): Property[] => {
      if (isMap(item)) return propertiesOf(item, lineOf, `${name}.`);
      return [
        { key: name.toLowerCase(), value: isScalar(item) ? String(item.value) : '', line: lineOf(key) },
      ];
    });
  });
}

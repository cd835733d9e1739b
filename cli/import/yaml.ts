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
      return [new Section(role, type, lineOf(component.key), { properties: named, match: ['**'] })];
    });
  });
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

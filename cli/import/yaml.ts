/** Reads the YAML configurations of Fluent Bit (`pipeline:`) and of Vector (`sources:`, `transforms:`, `sinks:`). */
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { fluentBitSection } from './fluent-bit.ts';
import { type Property, Section } from './section.ts';
import { vectorValue } from './values.ts';

type Lines = (node: unknown) => number;

/** @throws Error for text that is not YAML */
export function parseYaml(text: string): Section[] {
  const { root, lineOf } = parsed(text);
  if (!isMap(root)) return [];
  return FLUENT_BIT.some((key) => root.has(key)) ? fluentBit(root, lineOf) : vector(root, lineOf);
}

/** Keys of Fluent Bit's that Vector does not have; a file that is included may have few of them. */
const FLUENT_BIT = ['pipeline', 'service', 'parsers', 'multiline_parsers', 'includes'];

function parsed(text: string): { root: unknown; lineOf: Lines } {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  if (document.errors[0]) throw document.errors[0];
  const lineOf: Lines = (node) => {
    const offset = (node as Node | null)?.range?.[0];
    return offset === undefined ? 1 : counter.linePos(offset).line;
  };
  return { root: document.contents, lineOf };
}

function fluentBit(root: YAMLMap, lineOf: Lines): Section[] {
  const sections: Section[] = [];
  const variables = variablesOf(root.get('env'));
  const add = (name: string, list: unknown): void => {
    for (const item of isSeq(list) ? list.items : [list]) {
      if (!isMap(item)) {
        sections.push(new Section('other', name, lineOf(item)));
        continue;
      }
      const processors = processorsOf(item);
      const source = processors.length === 0 ? undefined : `line ${lineOf(item)}`;
      const own = propertiesOf(item, lineOf).filter(({ key }) => !key.startsWith('processors.logs.'));
      sections.push(fluentBitSection(name, lineOf(item), own, { variables, source }));
      // What an input's processors do, filters do that are for this input alone.
      for (const each of processors)
        sections.push(
          fluentBitSection('filter', lineOf(each), propertiesOf(each, lineOf), { variables, source }),
        );
    }
  };
  for (const pair of root.items) {
    const key = String(pair.key);
    if (key === 'parsers' || key === 'multiline_parsers') add(key.slice(0, -1), pair.value);
    else if (key === 'pipeline' && isMap(pair.value))
      for (const inner of pair.value.items) add(String(inner.key).replace(/s$/, ''), inner.value);
    else if (key === 'service' && isMap(pair.value))
      sections.push(fluentBitSection(key, lineOf(pair.key), propertiesOf(pair.value, lineOf), { variables }));
    else if (key !== 'env' && key !== 'includes') sections.push(new Section('other', key, lineOf(pair.key)));
  }
  return sections;
}

/** The files that a configuration of Fluent Bit includes, as patterns. */
export function yamlIncludes(text: string): Property[] {
  const { root, lineOf } = parsed(text);
  const list = isMap(root) ? root.get('includes') : null;
  if (!isSeq(list)) return [];
  return list.items.map((item) => ({
    key: 'includes',
    value: isScalar(item) ? String(item.value) : '',
    line: lineOf(item),
  }));
}

/** The variables that a configuration sets itself: a mapping, or a list of them. */
function variablesOf(env: unknown): Map<string, string> {
  const maps = isMap(env) ? [env] : isSeq(env) ? env.items.filter((item) => isMap(item)) : [];
  return new Map(
    maps.flatMap((map) =>
      map.items.map(({ key, value }) => [String(key), isScalar(value) ? String(value.value) : ''] as const),
    ),
  );
}

function processorsOf(item: YAMLMap): YAMLMap[] {
  const logs = item.getIn(['processors', 'logs']);
  return isSeq(logs) ? logs.items.filter((each) => isMap(each)) : [];
}

/** Where Vector keeps what it knows, in a folder for each source. */
const VECTOR_DATA = '/var/lib/vector/';
const VECTOR = { sources: 'input', transforms: 'filter', sinks: 'output' } as const;

function vector(root: YAMLMap, lineOf: Lines): Section[] {
  const sourcesOf = vectorGraph(root);
  const folder = vectorValue(String(root.get('data_dir') ?? VECTOR_DATA));
  return root.items.flatMap((pair): Section[] => {
    const role = VECTOR[String(pair.key) as keyof typeof VECTOR];
    if (role === undefined || !isMap(pair.value))
      return [new Section('other', String(pair.key), lineOf(pair.key))];
    return pair.value.items.flatMap((component: Pair) => {
      if (!isMap(component.value))
        return [new Section('other', String(component.key), lineOf(component.key))];
      const properties = propertiesOf(component.value, lineOf).map((property) => ({
        ...property,
        value: vectorValue(property.value),
      }));
      const type = properties.find(({ key }) => key === 'type')?.value ?? '';
      const rest = properties.filter(({ key }) => key !== 'type' && key !== 'inputs');
      // Components are wired by name and not by tag; a source's name becomes the tag.
      const line = lineOf(component.key);
      const named =
        role === 'input'
          ? [
              ...rest,
              { key: 'tag', value: String(component.key), line },
              ...(rest.some(({ key }) => key === 'data_dir')
                ? []
                : [{ key: 'data_dir', value: folder, line }]),
            ]
          : rest;
      const sources = sourcesOf(String(component.key));
      const more = { properties: named, match: ['**'], sources, dialect: 'vector' } as const;
      return [new Section(role, type, lineOf(component.key), more)];
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

/** The tables of options in docs/ from cli/config-options.ts: `npm run docs` writes them, a test compares them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_OPTIONS, CONSUMER_OPTIONS, KCL_OPTIONS, type Option } from '../../cli/config-options.ts';
import { betweenMarkers } from './between-markers.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const DOCUMENTS = [
  { file: 'agent.md', tables: [{ place: 'agent.yaml', options: AGENT_OPTIONS }] },
  {
    file: 'consumer.md',
    tables: [
      { place: 'consumer.yaml', options: CONSUMER_OPTIONS },
      { place: 'kcl', options: KCL_OPTIONS },
    ],
  },
] as const;

/** The documents as they are and as they should be. */
export function optionDocuments(): { path: string; is: string; wanted: string }[] {
  return DOCUMENTS.map(({ file, tables }) => {
    const path = join(DOCS, file);
    const is = readFileSync(path, 'utf8');
    const wanted = tables.reduce(
      (text, { place, options }) => betweenMarkers(text, `\`npm run docs\`: ${place}`, table(options)),
      is,
    );
    return { path, is, wanted };
  });
}

/** Keys of a section that has a heading of its own stand there without its name. */
function table(options: readonly Option[]): string {
  const withProperty = options.some(({ property }) => property !== undefined);
  const rows = options.map(({ keys, fallback, means, property }) => {
    const names = keys.map((key) => `\`${withProperty ? key.slice(key.indexOf('.') + 1) : key}\``).join(', ');
    return [names, fallback, ...(property === undefined ? [] : [`\`${property}\``]), means];
  });
  const heading = ['key', 'default', ...(withProperty ? ["KCL's property"] : []), ''];
  const lines = [heading, ...rows].map((cells) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |'));
  return [lines[0], `|${heading.map(() => '---|').join('')}`, ...lines.slice(1)].join('\n');
}

if (import.meta.main)
  for (const { path, is, wanted } of optionDocuments()) if (is !== wanted) writeFileSync(path, wanted);

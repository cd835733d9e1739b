/** Makes an agent.yaml of another agent's sections, and lists line by line what has no counterpart. */
import { applyFilter } from './filters.ts';
import { type CarriedInput, inputOf } from './inputs.ts';
import type { Note, Property, Section } from './section.ts';

/** Inputs and stream as agent.yaml has them. */
export interface Imported {
  readonly config: { stream: Record<string, string>; inputs: Record<string, unknown>[] };
  /** What could not be carried over. */
  readonly missing: readonly Note[];
  /** What tailrace does by itself. */
  readonly needless: readonly Note[];
}

/** Keys that have no counterpart because the agent's own spool and ledger do what they are for. */
const NEEDLESS =
  /^(pos_file|db|db\..*|mem_buf_limit|storage\..*|buffer.*|chunk.*|flush.*|retry.*|num_threads|data_dir|skip_long_lines|compression|aggregation|workers|.*checksum.*|fingerprint\..*|follow_inodes|enable_watch_timer|encoding\.codec|include_time_key|data_key|formatter|random_partition_key)$/;
const KINESIS = new Set([
  'kinesis_streams',
  'kinesis_streams_aggregated',
  'kinesis',
  'aws_kinesis_streams',
  'kinesis_producer',
]);

export function carryOver(sections: readonly Section[]): Imported {
  const missing: Note[] = [];
  const needless: Note[] = [];
  const parsers = sections.filter(({ role }) => role === 'parser');
  const inputs: CarriedInput[] = [];
  const carried: Section[] = [];
  let stream: Record<string, string> | null = null;
  const unknown = (section: Section, why = 'has no counterpart'): void => {
    missing.push({
      line: section.line,
      text: `${section.role === 'other' ? '' : `${section.role} `}${section.type}: ${why}`,
    });
  };
  for (const section of sections.filter(({ role }) => role === 'input')) {
    const label = section.take('@label') ?? section.label;
    const config = inputOf(section, parsers, missing);
    if (config === null) unknown(section);
    else {
      inputs.push({ label, source: section.sources?.[0], config });
      carried.push(section);
    }
  }
  // A filter is for events of all inputs, wherever those stand.
  for (const section of sections) {
    if (section.role === 'filter') {
      if (applyFilter(section, parsers, inputs, missing)) carried.push(section);
      else unknown(section);
    } else if (section.role === 'output') {
      for (const [type, output] of outputsOf(section)) {
        if (!KINESIS.has(type)) {
          missing.push({ line: output.line, text: `output ${type}: events go to Kinesis only` });
        } else if (stream !== null) {
          missing.push({
            line: output.line,
            text: `output ${type}: an agent has one stream: this one is a second`,
          });
        } else {
          stream = streamOf(output);
          carried.push(output);
        }
      }
    } else if (section.role === 'other') unknown(section);
  }
  carried.push(...parsers.filter(({ taken }) => taken.length > 0));
  for (const section of carried) {
    leftOvers(section, missing, needless);
    // Filters name those of their values that nothing computes themselves.
    for (const { key, value, line } of section.role === 'filter' ? [] : section.taken)
      if (value.includes('#{')) missing.push({ line, text: `${key} ${value}: not computed` });
  }
  return { config: { stream: stream ?? {}, inputs: inputs.map(({ config }) => config) }, missing, needless };
}

/** Outputs and their types: fluentd's copy holds several. */
function outputsOf(section: Section): (readonly [string, Section])[] {
  const stores = section.children.filter(({ type }) => type === 'store');
  if (stores.length === 0) return [[section.type, section]];
  return stores.map((store) => [store.take('@type') ?? '', store]);
}

/** What of a section, and of all sections in it, nobody has taken. */
function leftOvers(section: Section, missing: Note[], needless: Note[]): void {
  for (const property of section.rest) leftOver(property, missing, needless);
  for (const child of section.children) {
    const argument = child.match.join(' ');
    if (child.type === 'buffer' || child.type === 'format')
      needless.push({ line: child.line, text: `<${child.type}>: the spool does this` });
    else {
      if (argument !== '' && child.taken.length === 0)
        missing.push({ line: child.line, text: `<${child.type} ${argument}>` });
      leftOvers(child, missing, needless);
    }
  }
}

function leftOver({ key, value, line }: Property, missing: Note[], needless: Note[]): void {
  if (NEEDLESS.test(key)) needless.push({ line, text: `${key}: the spool and the ledger do this` });
  else missing.push({ line, text: `${key} ${value}`.trim() });
}

function streamOf(section: Section): Record<string, string> {
  const name = section.take('stream_name', 'stream');
  const region = section.take('region');
  const endpoint = section.take('endpoint');
  return {
    ...(name === undefined ? {} : { name }),
    ...(region === undefined ? {} : { region }),
    // Fluent Bit's is a host.
    ...(endpoint === undefined
      ? {}
      : { endpoint: endpoint.includes('://') ? endpoint : `https://${endpoint}` }),
  };
}

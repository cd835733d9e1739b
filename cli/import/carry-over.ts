/** Makes an agent.yaml of another agent's sections, and lists line by line what has no counterpart. */
import { inputName } from '../../producer/input.ts';
import { applyFilter, leaveGap, withoutFields } from './filters.ts';
import { type CarriedInput, inputOf } from './inputs.ts';
import { isForTag } from './match.ts';
import type { Note, Property, Section } from './section.ts';

/** Inputs and stream as agent.yaml has them. */
export interface Imported {
  readonly config: { stream: Record<string, string>; inputs: Record<string, unknown>[] };
  /** What could not be carried over. */
  readonly missing: readonly Note[];
  /** What tailrace does by itself. */
  readonly needless: readonly Note[];
  /** Inputs that cannot go on where the other agent stops, because that does not keep its positions. */
  readonly unkept: readonly Note[];
}

/** Keys that are not needed here, and why. */
const NEEDLESS: readonly (readonly [RegExp, string])[] = [
  [
    /^(pos_file|db|db\..*|mem_buf_limit|storage\..*|buffer.*|chunk.*|flush.*|retry.*|auto_retry_requests|num_threads|data_dir|skip_long_lines|compression|aggregation|.*checksum.*|fingerprint\..*|follow_inodes|enable_watch_timer|read_lines_limit|static_batch_size|encoding\.codec|include_time_key|data_key|formatter|emitter_.*|root_dir|scheduler\..*|enable_input_metrics|enable_size_metrics)$/,
    'the spool and the ledger do this',
  ],
  [
    /^(time_key|tag_key|time_key_format|include_tag_key)$/,
    'events have their time, and their keys in the archive the tag',
  ],
  [
    /^(batch\..*|request\..*|healthcheck.*|acknowledgements.*|oldest_first|ignore_checkpoints|max_read_bytes|rotate_wait_secs)$/,
    'the sender and the ledger do this',
  ],
  [
    /^(random_partition_key|partition_key|partition_key_field)$/,
    'lanes spread over the shards by themselves',
  ],
  [
    /^(workers|daemon|grace|process_name|restart_worker_interval|file_permission|dir_permission|coro_stack_size|hot_reload|dns\..*|sp\..*|suppress_.*|emit_error_log_interval)$/,
    'the agent is one process, which systemd runs',
  ],
  [/^(enable_ruby|auto_typecast)$/, 'only for values that are computed'],
  [/^emit_unmatched_lines$/, 'a line that does not match is always kept'],
  [
    /^(api|http_server|http_listen|http_port|health_check|hc_.*)$/,
    'set http.listen for /health and /metrics',
  ],
  [/^(log_level|log_file|log_.*)$/, 'set log_level and log_file of the agent'],
  [/^plugins_file$/, 'there are no plugins'],
];
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
  const parsers = sections.filter(({ role }) => role === 'parser' || role === 'multiline');
  const inputs: CarriedInput[] = [];
  const carried: Section[] = [];
  let stream: Record<string, string> | null = null;
  const unknown = (section: Section): void => {
    missing.push({ line: section.line, text: withoutCounterpart(section) });
  };
  for (const section of sections.filter(({ role }) => role === 'input')) {
    const label = section.take('@label') ?? section.label;
    const listed = missing.length;
    const config = inputOf(section, parsers, missing);
    if (config === null) unknown(section);
    else {
      // A parser without a counterpart leaves lines as text.
      const isText = config['format'] === 'none' && missing.length > listed;
      const gaps = new Set(isText ? ['*'] : []);
      inputs.push({ label, source: section.sources?.[0], line: section.line, config, gaps });
      carried.push(section);
    }
  }
  // A filter is for events of all inputs, wherever those stand.
  for (const section of sections) {
    if (section.role === 'filter') {
      if (applyFilter(section, parsers, inputs, missing)) carried.push(section);
      else {
        unknown(section);
        leaveGap(section, inputs, ['*']);
      }
    } else if (section.role === 'output') {
      for (const [type, output] of outputsOf(section)) {
        if (KINESIS.has(type) && stream === null) {
          stream = streamOf(output);
          withoutFields(output, inputs);
          carried.push(output);
          missing.push(...goingElsewhere(section, inputs));
        } else (OWN_LOG.has(section.label) ? needless : missing).push(otherOutput(type, output));
      }
    } else if (section.role === 'service') carried.push(section);
    else if (section.role === 'other') {
      const why = needlessBecause(section.type);
      if (why === undefined) unknown(section);
      else needless.push({ line: section.line, text: `${section.type}: ${why}` });
    }
  }
  giveIds(inputs.map(({ config }) => config));
  carried.push(...parsers.filter(({ taken }) => taken.length > 0));
  for (const section of carried) {
    leftOvers(section, missing, needless);
    // Filters name those of their values that nothing computes themselves.
    for (const { key, value, line } of section.role === 'filter' ? [] : section.taken)
      if (value.includes('#{')) missing.push({ line, text: `${key} ${value}: not computed` });
  }
  const unkept = inputs
    .filter(({ config }) => config['type'] !== 'forward' && config['take_over'] === undefined)
    .map(({ line, config }) => ({ line, text: `input ${config['tag']}: ${startOf(config)}` }));
  return {
    config: { stream: stream ?? {}, inputs: inputs.map(({ config }) => config) },
    missing,
    needless,
    unkept,
  };
}

/** Inputs that read the same need names of their own. */
function giveIds(configs: readonly Record<string, unknown>[]): void {
  const nameOf = (config: Record<string, unknown>): string =>
    inputName(config as unknown as Parameters<typeof inputName>[0]);
  const names = configs.map(nameOf);
  const ids = new Set<string>();
  for (const [i, config] of configs.entries()) {
    if (config['type'] === 'forward' || names.indexOf(names[i]!) === names.lastIndexOf(names[i]!)) continue;
    const base = String(config['tag']).replaceAll(/[^\w.-]+/g, '_');
    let id = base;
    for (let n = 2; ids.has(id); n++) id = `${base}-${n}`;
    ids.add(id);
    config['id'] = id;
  }
}

function startOf({ read_from_head: fromHead }: Readonly<Record<string, unknown>>): string {
  return fromHead === false
    ? 'keeps no positions: what is written between the stop of the one agent and the start of the other is lost'
    : 'keeps no positions: what is there is read from its beginning, and repeated';
}

/** fluentd's labels for its own log and for what it could not send. */
const OWN_LOG = new Set(['@FLUENT_LOG', '@ERROR']);

const NO_REWRITING = 'tags do not depend on fields: select by the field when you read the archive';

function withoutCounterpart({ role, type, rest }: Section): string {
  if (role === 'filter' && rest.some(({ key }) => key === 'condition'))
    return `filter ${type}: it is for events that meet a condition`;
  if (/^rewrite_tag/.test(type)) return `${role} ${type}: ${NO_REWRITING}`;
  if (role !== 'other') return `${role} ${type}: has no counterpart`;
  if (/^@include\b/i.test(type)) return `${type}: no such file`;
  return type.includes(': ') ? type : `${type}: has no counterpart`;
}

function otherOutput(type: string, { line, label }: Section): Note {
  if (OWN_LOG.has(label)) return { line, text: `output ${type} of ${label}: the agent logs to log_file` };
  if (KINESIS.has(type))
    return {
      line,
      text: `output ${type}: an agent has one stream, and this is a second: run another agent with a state_dir of its own`,
    };
  if (/^rewrite_tag/.test(type)) return { line, text: `output ${type}: ${NO_REWRITING}` };
  return { line, text: `output ${type}: events go to Kinesis only` };
}

/** The inputs whose events went to other outputs only, and now go to the stream. */
function goingElsewhere(output: Section, inputs: readonly CarriedInput[]): Note[] {
  return inputs
    .filter(({ source, config }) => {
      if (output.sources !== undefined) return source !== undefined && !output.sources.includes(source);
      return config['type'] !== 'forward' && !isForTag(output, String(config['tag']));
    })
    .map(({ line, source, config }) => ({
      line,
      text: `input ${config['tag'] ?? source}: no output to Kinesis takes its events there, and all go to the stream here: remove the input if they should not`,
    }));
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
    if (['buffer', 'format', 'secondary'].includes(child.type))
      needless.push({ line: child.line, text: `<${child.type}>: the spool does this` });
    else {
      if (argument !== '' && child.taken.length === 0)
        missing.push({ line: child.line, text: `<${child.type} ${argument}>` });
      leftOvers(child, missing, needless);
    }
  }
}

function needlessBecause(key: string): string | undefined {
  return NEEDLESS.find(([pattern]) => pattern.test(key))?.[1];
}

function leftOver({ key, value, line }: Property, missing: Note[], needless: Note[]): void {
  const why = needlessBecause(key);
  if (why !== undefined) needless.push({ line, text: `${key}: ${why}` });
  else if (key === 'renew_record' && value === 'false') needless.push({ line, text: `${key}: the default` });
  else if (/role_arn|role_session_name|external_id|sts_endpoint|aws_key_id|aws_sec_key|profile/.test(key))
    missing.push({
      line,
      text: `${key}: set it in the profile or the environment of the agent, where the AWS SDK looks`,
    });
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

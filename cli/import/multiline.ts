/** Events of several lines: what other agents call a multiline parser, mode or first line. */
import type { Note, Section } from './section.ts';

export type Multiline = Readonly<Record<string, string>>;

/** Those that Fluent Bit has built in, as the lines that continue an event. */
const BUILT_IN: Readonly<Record<string, string>> = {
  java: '^\\s+(?:eval )?at |^\\s+\\.\\.\\. \\d+ |^\\s*(?:Caused by|Suppressed): ',
};

/** `multiline.parser` of Fluent Bit but for what reads containers' lines, which is a format here. */
export function multilineParser(
  section: Section,
  parsers: readonly Section[],
  missing: { push(note: Note): unknown },
): Multiline | null {
  const named = section.rest.find(({ key }) => key === 'multiline.parser');
  if (named === undefined) return null;
  section.take('multiline.parser');
  const names = named.value.split(',').map((name) => name.trim().toLowerCase());
  const defined = parsers.find(({ role, type }) => role === 'multiline' && names.includes(type));
  const builtIn = names.find((name) => name in BUILT_IN);
  for (const name of names) {
    if (name === (defined?.type ?? builtIn)) continue;
    missing.push({
      line: named.line,
      text: `multiline.parser ${name}: each line is an event until multiline.start or multiline.continuation says which belong together`,
    });
  }
  if (defined) return statesOf(defined, missing);
  return builtIn === undefined ? null : { continuation: BUILT_IN[builtIn]! };
}

/** A parser of Fluent Bit with its states: lines of all but the first one continue an event. */
function statesOf(parser: Section, missing: { push(note: Note): unknown }): Multiline | null {
  parser.take('type');
  const timeout = parser.take('flush_timeout');
  parser.take('parser', 'key_content');
  const rules = parser
    .takeAll('rule')
    .map(({ value }) => [...value.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text!));
  const states = parser.takeAll('rules.state');
  const patterns = parser.takeAll('rules.regex');
  parser.takeAll('rules.next_state');
  for (const [i, { value }] of states.entries()) rules.push([value, patterns[i]?.value ?? '']);
  const first = rules.find(([state]) => state === 'start_state')?.[1];
  const further = [
    ...new Set(rules.flatMap(([state, pattern]) => (state === 'start_state' ? [] : [pattern!]))),
  ];
  const flush = timeout === undefined ? {} : { flush_interval: `${timeout}ms` };
  if (further.length === 1) return { continuation: further[0]!, ...flush };
  if (further.length > 1) {
    missing.push({
      line: parser.line,
      text: `multiline_parser ${parser.type}: the order of its states: a line of any of them continues an event`,
    });
    return {
      continuation: further.map((pattern) => `(?:${pattern.replaceAll(/^\/|\/$/g, '')})`).join('|'),
      ...flush,
    };
  }
  return first === undefined ? null : { start: first, ...flush };
}

/** fluentd's first line, and Vector's modes. */
export function multilineOf(
  input: Section,
  holder: Section,
  missing: { push(note: Note): unknown },
): Multiline | null {
  const timeout = input.take('multiline_flush_interval');
  const millis = input.take('multiline.timeout_ms');
  const flush =
    timeout !== undefined
      ? { flush_interval: /^\d+$/.test(timeout) ? `${timeout}s` : timeout }
      : millis !== undefined
        ? { flush_interval: `${millis}ms` }
        : {};
  const first = holder.take('format_firstline');
  if (first !== undefined) return { start: first, ...flush };
  const begin = input.take('multiline.start_pattern');
  if (begin === undefined) return null;
  const mode = input.take('multiline.mode');
  const condition = input.take('multiline.condition_pattern') ?? begin;
  if (mode === 'continue_through') return { continuation: condition, ...flush };
  if (mode === 'halt_with') return { end: condition, ...flush };
  if (mode === 'continue_past')
    missing.push({
      line: input.line,
      text: `multiline.mode continue_past: an event begins with ${begin} here`,
    });
  return { start: mode === 'halt_before' ? condition : begin, ...flush };
}

/** Events of several lines: what other agents call a multiline parser, mode or first line. */
import { rubyPattern, rustPattern } from './regexp.ts';
import type { Note, Section } from './section.ts';

export type Multiline = Readonly<Record<string, string>>;

interface Missing {
  push(note: Note): unknown;
}

/** Those that Fluent Bit has built in, as the lines that continue an event. */
const BUILT_IN: Readonly<Record<string, string>> = {
  java: '^[\\t ]+(?:eval )?at |^[\\t ]*(?:Caused by|Suppressed):|^[\\t ]*\\.\\.\\. \\d+ (?:more|common frames omitted)|^[\\t ]*nested exception is:|^[\\t ]*--- End of (?:inner exception )?stack trace',
  python:
    '^[\\t ]+\\S|^(?:[^\\s.():]+\\.)*[^\\s.():]*(?:Error|Exception|Warning|Interrupt|Exit|Group|StopIteration)(?::|$)',
  go: '^$|^goroutine \\d+ \\[[^\\]]+\\]:$|^(?:[^\\s.:]+\\.)*[^\\s.():]+\\(.*\\)$|^created by |^\\t|^\\[signal ',
  ruby: '^\\s+from\\s+.*:\\d+:in\\s',
};

/** `multiline.parser` of Fluent Bit but for what reads containers' lines, which is a format here. */
export function multilineParser(
  section: Section,
  parsers: readonly Section[],
  missing: Missing,
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
function statesOf(parser: Section, missing: Missing): Multiline | null {
  parser.take('type');
  const timeout = parser.take('flush_timeout');
  parser.takeAll('parser', 'key_content');
  const rules = parser
    .takeAll('rule')
    .map(({ value }) => [...value.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text!));
  const states = parser.takeAll('rules.state');
  const patterns = parser.takeAll('rules.regex');
  parser.takeAll('rules.next_state');
  for (const [i, { value }] of states.entries()) rules.push([value, patterns[i]?.value ?? '']);
  const isFirst = (states: string): boolean =>
    states.split(',').some((each) => each.trim() === 'start_state');
  const translated = rules.flatMap(([states = '', text = '']) => {
    const pattern = patternOf(rubyPattern, text, parser.line, missing);
    return pattern === null ? [] : [{ isFirst: isFirst(states), pattern }];
  });
  const first = translated.find((rule) => rule.isFirst)?.pattern;
  const further = [...new Set(translated.flatMap((rule) => (rule.isFirst ? [] : [rule.pattern])))];
  const flush = timeout === undefined ? {} : { flush_interval: `${timeout}ms` };
  if (further.length === 1) return { continuation: further[0]!, ...flush };
  if (further.length > 1) {
    missing.push({
      line: parser.line,
      text: `multiline_parser ${parser.type}: the order of its states: a line of any of them continues an event`,
    });
    return {
      continuation: further.map((pattern) => `(?:${pattern})`).join('|'),
      ...flush,
    };
  }
  return first === undefined ? null : { start: first, ...flush };
}

/** fluentd's first line, and Vector's modes. */
export function multilineOf(input: Section, holder: Section, missing: Missing): Multiline | null {
  const timeout = input.take('multiline_flush_interval');
  const millis = input.take('multiline.timeout_ms');
  const flush =
    timeout !== undefined
      ? { flush_interval: /^\d+$/.test(timeout) ? `${timeout}s` : timeout }
      : millis !== undefined
        ? { flush_interval: `${millis}ms` }
        : {};
  const firstLine = holder.take('format_firstline');
  const first = firstLine === undefined ? null : patternOf(rubyPattern, firstLine, holder.line, missing);
  if (first !== null) return { start: first, ...flush };
  const beginning = input.take('multiline.start_pattern');
  if (beginning === undefined) return null;
  const mode = input.take('multiline.mode');
  const text = input.take('multiline.condition_pattern') ?? beginning;
  const begin = patternOf(rustPattern, beginning, input.line, missing);
  const condition = text === beginning ? begin : patternOf(rustPattern, text, input.line, missing);
  if (begin === null || condition === null) return null;
  if (mode === 'continue_through') return { continuation: condition, ...flush };
  if (mode === 'halt_with') return { end: condition, ...flush };
  if (mode === 'continue_past')
    missing.push({
      line: input.line,
      text: `multiline.mode continue_past: an event begins with ${begin} here`,
    });
  return { start: mode === 'halt_before' ? condition : begin, ...flush };
}

function patternOf(
  translate: (text: string) => string | null,
  text: string,
  line: number,
  missing: Missing,
): string | null {
  const pattern = translate(text);
  if (pattern === null)
    missing.push({ line, text: `${text}: this expression has no counterpart: set multiline by hand` });
  return pattern;
}

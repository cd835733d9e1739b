/** What of Vector's Remap Language has a counterpart: one statement a line, and conditions that `&&` joins. */
import { rustPattern } from './regexp.ts';
import type { Note, Property, Section } from './section.ts';

export type Rule = { readonly field: string; readonly pattern: string };

/** Functions that parse the message, and the format that does. */
const PARSERS: Readonly<Record<string, string>> = {
  parse_json: 'json',
  parse_logfmt: 'logfmt',
  parse_key_value: 'logfmt',
  parse_syslog: 'syslog',
  parse_common_log: 'apache2',
};
const SERVERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  parse_nginx_log: { combined: 'nginx', error: 'nginx_error' },
  parse_apache_log: { common: 'apache2', combined: 'apache2', error: 'apache_error' },
};
const MESSAGE = String.raw`(?:string!?\()?\.message\)?`;
const PARSE = new RegExp(
  String.raw`^\. ?(?:,\s*\w+\s*)?\|?= ?(?:object!?\()?(\w+)!?\(${MESSAGE}(?:, ?(?:format: ?|pattern: ?)?(?:"(\w+)"|r'(.*)'))?\)*(?: \?\? .*)?$`,
);
const FIELD = String.raw`\.([\w@.]+)`;
const LITERAL = String.raw`("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false)`;

/** A variable that holds what was parsed. */
const PARSED_VARIABLE = new RegExp(
  String.raw`^(\w+)(?:, ?\w+)? ?\??= ?(?:object!?\()?(\w+)!?\(${MESSAGE}(?:, ?(?:format: ?|pattern: ?)?(?:"(\w+)"|r'(.*)'))?\)*(?: \?\? .*)?$`,
);
/** It becomes the event, or its fields become the event's. */
const MERGED = /^\. ?\|?= ?(?:merge!?\(\., ?)?(?:object!?\()?(\w+)\)*(?:, ?deep: ?\w+\))?$/;
/** Conditions under which a line has been parsed. */
const IF_PARSED =
  /^if \(?(?:\w*err(?:or)? == null|is_null\(\w*err(?:or)?\)|is_object\(\w+\)|!is_null\(\w+\)|\w+ != null)\)? \{$/;

interface Program {
  readonly format: string | Record<string, string> | null;
  readonly transform: Record<string, unknown>;
  /** Fields that statements without a counterpart set, `*` for all. */
  readonly unset: readonly string[];
}

/** The format and the transforms of a `remap`; the statements that have none are listed. */
export function vrlProgram(section: Section, missing: Note[]): Program {
  const [source] = section.takeAll('source');
  let format: string | Record<string, string> | null = null;
  const add: Record<string, unknown> = {};
  const rename: Record<string, string> = {};
  const remove: string[] = [];
  const unset: string[] = [];
  const variables = new Map<string, string | Record<string, string>>();
  /** Of the blocks that are open: whether it is for events that were parsed. */
  const blocks: boolean[] = [];
  const isDone = (statement: string): boolean => {
    const parse = PARSE.exec(statement);
    const parsed = parse && format === null ? formatOf(parse[1]!, parse[2], parse[3]) : null;
    const merged = variables.get(MERGED.exec(statement)?.[1] ?? '');
    if (merged !== undefined && format === null && !blocks.includes(false)) {
      format = merged;
      return true;
    }
    if (blocks.length > 0) return false;
    const variable = PARSED_VARIABLE.exec(statement);
    const held = variable && formatOf(variable[2]!, variable[3], variable[4]);
    const constant = new RegExp(`^${FIELD} ?= ?${LITERAL}$`).exec(statement);
    const host = new RegExp(String.raw`^${FIELD} ?= ?get_hostname!?\(\)$`).exec(statement);
    const moved = new RegExp(String.raw`^${FIELD} ?= ?del\(${FIELD}\)$`).exec(statement);
    const gone = new RegExp(String.raw`^del\(${FIELD}\)$`).exec(statement);
    if (parsed !== null) format = parsed;
    else if (held) variables.set(variable[1]!, held);
    else if (constant) add[constant[1]!] = JSON.parse(constant[2]!);
    else if (host) add[host[1]!] = `\${hostname}`;
    else if (moved) rename[moved[2]!] = moved[1]!;
    else if (gone) remove.push(gone[1]!);
    else return false;
    return true;
  };
  for (const { statement, line } of statementsOf(source)) {
    const isElse = /^\} ?else\b.*\{$/.test(statement);
    if (statement === '}' || isElse) blocks.pop();
    if (statement === '}') continue;
    const isForParsed = !isElse && variables.size > 0 && IF_PARSED.test(statement);
    if (statement.endsWith('{')) blocks.push(isForParsed);
    // What is in it is listed.
    if (isForParsed || (isElse && variables.size > 0) || (!statement.endsWith('{') && isDone(statement)))
      continue;
    const [, set] = /^\.([\w@.]*) ?(?:,|\|?=)/.exec(statement) ?? [];
    if (set !== undefined) unset.push(set === '' ? '*' : set);
    missing.push({ line, text: `remap: ${statement}` });
  }
  const transform = {
    ...(Object.keys(add).length === 0 ? {} : { add }),
    ...(Object.keys(rename).length === 0 ? {} : { rename }),
    ...(remove.length === 0 ? {} : { remove }),
  };
  return { format, transform, unset };
}

/** The statements of a program: one a line, or several between semicolons. */
function statementsOf(source: Property | undefined): { statement: string; line: number }[] {
  const block = source?.value.includes('\n') ? 1 : 0;
  return (source?.value ?? '').split('\n').flatMap((text, i) =>
    text
      .trim()
      .split(/;(?=(?:[^"]*"[^"]*")*[^"]*$)/)
      .map((statement) => ({ statement: statement.trim(), line: source!.line + i + block }))
      .filter(({ statement }) => statement !== '' && !statement.startsWith('#')),
  );
}

function formatOf(
  name: string,
  variant: string | undefined,
  regexp: string | undefined,
): string | Record<string, string> | null {
  if (name === 'parse_regex' && regexp !== undefined)
    return { type: 'regexp', expression: regexp.replaceAll('(?P<', '(?<') };
  return SERVERS[name]?.[variant ?? 'combined'] ?? PARSERS[name] ?? null;
}

/** The conditions of a `filter`, all of which an event meets that is kept. */
export function vrlCondition(section: Section, missing: Note[]): { include: Rule[]; exclude: Rule[] } {
  const [condition] = section.takeAll('condition', 'condition.source');
  section.take('condition.type');
  const include: Rule[] = [];
  const exclude: Rule[] = [];
  const text = condition?.value.trim() ?? '';
  const terms = text.includes('||') ? [text] : text.split('&&').map((term) => term.trim());
  for (const term of terms) {
    const rule = comparison(term);
    if (rule === null)
      missing.push({ line: condition?.line ?? section.line, text: `filter: condition ${term}` });
    else if (rule.kept) include.push(rule.rule);
    else exclude.push(rule.rule);
  }
  return { include, exclude };
}

function comparison(term: string): { rule: Rule; kept: boolean } | null {
  const equal = new RegExp(`^${FIELD} ?(==|!=) ?${LITERAL}$`).exec(term);
  if (equal) {
    const [, field, operator, literal] = equal;
    return {
      rule: { field: field!, pattern: `^${escaped(String(JSON.parse(literal!)))}$` },
      kept: operator === '==',
    };
  }
  const call = new RegExp(
    String.raw`^(!?)(match|contains|starts_with|ends_with)!?\((?:string!?\()?${FIELD}\)?, ?(?:r'(.*)'|("(?:[^"\\]|\\.)*"))\)$`,
  ).exec(term);
  if (!call) return null;
  const [, not, name, field, regexp, literal] = call;
  if ((name === 'match') !== (regexp !== undefined)) return null;
  const text = literal === undefined ? '' : escaped(String(JSON.parse(literal)));
  const written = { contains: text, starts_with: `^${text}`, ends_with: `${text}$` }[name as 'contains'];
  const pattern = regexp === undefined ? written : rustPattern(regexp);
  return pattern === null ? null : { rule: { field: field!, pattern }, kept: not === '' };
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

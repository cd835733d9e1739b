/** Which tag an event goes under: match patterns as fluentd has them, over the tag that the client gave. */
import { TailraceError } from '../../base/errors.ts';

const MAX_ALTERNATIVES = 1000;

/**
 * Compiles patterns, separated by spaces: `*` is one part of a tag or some of its letters, `**` any number of parts,
 * also none, `{a,b}` each of the alternatives.
 *
 * @throws TailraceError BAD_PATTERN
 */
export function compilePattern(patterns: string): (tag: string) => boolean {
  const alternatives = patterns
    .split(/\s+/)
    .filter((pattern) => pattern !== '')
    .flatMap((pattern) => expand(pattern, pattern));
  if (alternatives.length === 0) throw bad(patterns, 'is empty');
  const expression = new RegExp(`^(?:${alternatives.map(expressionOf).join('|')})$`, 's');
  return (tag) => expression.test(tag);
}

/** All patterns that the braces of one stand for. */
function expand(pattern: string, whole: string): string[] {
  const open = pattern.indexOf('{');
  if (open < 0) {
    if (pattern.includes('}')) throw bad(whole, 'has a } without its {');
    return [pattern];
  }
  const options: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let i = open; i < pattern.length; i++) {
    const letter = pattern[i];
    if (letter === '{') depth++;
    else if (letter === '}') depth--;
    if ((letter === ',' && depth === 1) || depth === 0) {
      options.push(pattern.slice(from, i));
      from = i + 1;
    }
    if (depth === 0) break;
  }
  if (depth !== 0) throw bad(whole, 'has a { without its }');
  const expanded = options.flatMap((option) =>
    expand(pattern.slice(0, open) + option + pattern.slice(from), whole),
  );
  if (expanded.length > MAX_ALTERNATIVES) throw bad(whole, `has more than ${MAX_ALTERNATIVES} alternatives`);
  return expanded;
}

function expressionOf(pattern: string): string {
  const parts = pattern.split('.').filter((part, i, all) => part !== '**' || all[i - 1] !== '**');
  let expression = '';
  for (const [i, part] of parts.entries()) {
    if (part !== '**') {
      const text = part.split(/(\*+)/).map((piece) => {
        if (piece === '*') return '[^.]*';
        return piece.startsWith('**') ? '.*' : piece.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
      });
      expression += text.join('') + (i < parts.length - 1 && parts[i + 1] !== '**' ? '\\.' : '');
    } else if (parts.length === 1) {
      expression += '.*';
    } else if (i === 0) {
      expression += '(?:.*\\.)?';
    } else if (i === parts.length - 1) {
      // `a.**` matches a itself.
      expression += '(?:\\..*)?';
    } else {
      expression += '\\.(?:.*\\.)?';
    }
  }
  return expression;
}

function bad(pattern: string, why: string): TailraceError {
  return new TailraceError('BAD_PATTERN', `match pattern ${JSON.stringify(pattern)} ${why}`);
}

/** Puts the client's tag into a new one: `${tag}` is the whole, `${tag_parts[1]}` its second part. */
export function fillTag(template: string, tag: string): string {
  return template.replace(/\$\{tag(?:_parts\[(-?\d+)\])?\}/g, (_, index: string | undefined) =>
    index === undefined ? tag : (tag.split('.').at(Number(index)) ?? ''),
  );
}

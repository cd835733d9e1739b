/** Which tags a filter or an output of another agent is for. */
import { compilePattern } from '../../producer/forward/routes.ts';
import { rubyPattern } from './regexp.ts';
import type { Section } from './section.ts';

/** Whether events with a tag come to a section. */
export function isForTag({ match, dialect }: Section, tag: string): boolean {
  // The tag of a file at that path has several parts.
  const example = tag.replaceAll(`\${path}`, 'a.b.c');
  return match.length === 0 || match.some((pattern) => tester(pattern, dialect)(example));
}

export function isForAll({ match }: Section): boolean {
  return match.length === 0 || match.some((pattern) => pattern === '**' || pattern === '*');
}

function tester(pattern: string, dialect: Section['dialect']): (tag: string) => boolean {
  try {
    const regular = /^\/(.*)\/$/s.exec(pattern);
    if (regular) {
      const expression = new RegExp(rubyPattern(pattern) ?? regular[1]!, 'u');
      return (tag) => expression.test(tag);
    }
    if (dialect === 'fluentd') return compilePattern(pattern);
    const text = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
    const expression = new RegExp(`^${text.join('.*')}$`);
    return (tag) => expression.test(tag);
  } catch {
    return () => false;
  }
}

/** The patterns as a route has them; null where there are none such: those of regular expressions. */
export function routePattern({ match, dialect }: Section): string | null {
  if (match.some((pattern) => pattern.startsWith('/'))) return null;
  if (dialect === 'fluentd') return match.join(' ');
  // In Fluent Bit `*` is anything, dots too.
  return match
    .map((pattern) => pattern.replace(/\.\*$/, '.**').replace(/^(.*[^.*])\*$/, '{$1*,$1*.**}'))
    .join(' ');
}

/** Whether some tag is likely to match both: the first route that matches applies, alone. */
export function mayOverlap(one: string, other: string): boolean {
  const example = (pattern: string): string[] =>
    pattern.split(' ').map((each) => each.replace(/\{([^,{}]*),.*\}/, '$1').replaceAll(/\*+/g, 'x'));
  return example(one).some(compilePattern(other)) || example(other).some(compilePattern(one));
}

/** What `tailrace grep` looks for in a line: a pattern, with a quick look at many lines before. */
import { TailraceError } from '../../base/errors.ts';

export interface PatternOptions {
  /** The pattern is a text, not a regular expression. */
  readonly fixed: boolean;
  readonly ignoreCase: boolean;
}

export interface Pattern {
  /** Whether it may take a time that grows without bound: see {@link withinTime}. */
  readonly backtracks: boolean;
  /** Whether a line of the text can match; cheap, for texts of many lines. */
  mayMatch(text: string): boolean;
  matches(line: string): boolean;
  /** Beginning and end of each match in a line. */
  spans(line: string): [start: number, end: number][];
}

/** @throws TailraceError CONFIG for an expression that is not valid */
export function compilePattern(source: string, { fixed, ignoreCase }: PatternOptions): Pattern {
  const flags = `um${ignoreCase ? 'i' : ''}`;
  const expression = compile(fixed ? source.replace(/[\\^$.|?*+()[\]{}/]/g, '\\$&') : source, flags);
  // A negative look around may see another line and reject, and without the flag m ^ and $ are not those of lines: neither
  // can be asked of many lines at once.
  const looksAround = !fixed && /\(\?(?:<?!|\w*-)/.test(source);
  const matches = (line: string): boolean =>
    fixed && !ignoreCase ? line.includes(source) : expression.test(line);
  return {
    backtracks: !fixed && /[*+?{]/.test(source),
    mayMatch: (text) => looksAround || matches(text),
    matches,
    spans: (line) =>
      [...line.matchAll(new RegExp(expression, `g${flags}`))]
        .filter(([found]) => found !== '')
        .map((match) => [match.index, match.index + match[0].length]),
  };
}

function compile(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (cause) {
    throw new TailraceError(
      'CONFIG',
      `${(cause as Error).message.replace(/^Invalid regular expression: /, 'the pattern ')}: -F takes it as text`,
      { cause },
    );
  }
}

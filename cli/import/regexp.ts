/**
 * Regular expressions of other agents as the patterns of agent.yaml have them: JavaScript's with the flag `u`. fluentd's
 * and Fluent Bit's are Ruby's, between slashes with flags or without; Vector's are Rust's.
 */
import { toRegExpDetails } from 'oniguruma-to-es';

const SLASHES = /^\/(.*)\/([imxo]*)$/s;
/** What means something else in Ruby, or nothing in JavaScript. */
const RUBY_ALONE = /\\[hHAzZGRXKg]|\[\[:|\(\?>|\(\?[imx-]+[:)]|\(\?<?#|[*+?}]\+|\\p\{\^|&&|\(\?~/;

/** @returns null for what JavaScript has no expression for */
export function rubyPattern(text: string): string | null {
  const [, inner = text, flags = ''] = SLASHES.exec(text.trim()) ?? [];
  const isPlain = !/[imx]/.test(flags) && !RUBY_ALONE.test(inner);
  if (isPlain && isValid(inner)) return inner;
  try {
    // `o` is about when Ruby compiles it.
    const { pattern, flags: needed } = toRegExpDetails(inner, {
      flags: flags.replaceAll('o', ''),
      target: 'ES2018',
      avoidSubclass: true,
    });
    const kept = needed.replaceAll(/[^ims]/g, '');
    const whole = kept === '' ? pattern : `(?${kept}:${pattern})`;
    return isValid(whole) ? whole : null;
  } catch {
    return null;
  }
}

/** @returns null for what JavaScript has no expression for */
export function rustPattern(text: string): string | null {
  const named = text.replaceAll('(?P<', '(?<');
  const whole = named.replace(/^\(\?([ims]+)\)(.*)$/s, '(?$1:$2)');
  if (isValid(whole)) return whole;
  // What is escaped without need, which only JavaScript refuses.
  const bare = whole.replaceAll(/\\([-"'#&~ @%:;<=>,!`_])/g, (_, escaped: string) =>
    escaped === '-' ? '\\x2d' : escaped,
  );
  return isValid(bare) ? bare : null;
}

function isValid(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u') !== null;
  } catch {
    return false;
  }
}

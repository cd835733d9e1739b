/** Which preset lines look like, for a format that does not take them. */
import * as z from 'zod/mini';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../builder.ts';
import { Counters } from '../counters.ts';
import { compileFormat } from './compile.ts';
import { Tally } from './json-bytes.ts';
import { formatOptions } from './options.ts';
import { Transform } from './transform.ts';

/** What people call it, and its `format`; of two that take the same lines the more telling one comes first. */
const CANDIDATES: readonly (readonly [string, unknown])[] = [
  ['cri', 'cri'],
  ['docker', 'docker'],
  ['caddy', 'caddy'],
  ['haproxy', 'haproxy'],
  ['envoy', 'envoy'],
  ['alb', 'alb'],
  ['apache2 vhost_combined', { type: 'apache2', log_format: 'vhost_combined' }],
  ['nginx main', { type: 'nginx', log_format: 'main' }],
  ['nginx or apache2 combined', { type: 'nginx', log_format: 'combined' }],
  ['apache2 common', { type: 'apache2', log_format: 'common' }],
  ['traefik', 'traefik'],
  ['squid', 'squid'],
  ['nginx_error', 'nginx_error'],
  ['apache_error', 'apache_error'],
  ['syslog', 'syslog'],
  ['iis', 'iis'],
  ['cloudfront', 'cloudfront'],
  ['json', 'json'],
  ['ltsv', 'ltsv'],
  ['logfmt', 'logfmt'],
];
/** Of 100 lines, how many have to be of a format. */
const LEAST_PERCENT = 90;
/** Which of these say by themselves that they are it: any JSON is `json`. */
const NEEDS_TIME = new Set(['caddy', 'traefik']);
/** What separates the fields of formats that one field alone would do for: any text with a colon or an equals sign. */
const SEPARATORS: Readonly<Record<string, number>> = { ltsv: 0x09, logfmt: 0x20 };

/**
 * @param head the first lines of the file, for formats that name their columns there
 * @returns the name of the preset that takes nearly all lines, and its `format`; null when none does
 */
export function recommendFormat(
  lines: readonly Buffer[],
  head: readonly string[],
): { readonly name: string; readonly format: unknown } | null {
  const some = lines.filter((line) => line.length > 0 && line[0] !== 0x23);
  if (some.length === 0) return null;
  for (const [name, format] of CANDIDATES) {
    const separator = SEPARATORS[name];
    if (separator !== undefined && !some.every((line) => line.includes(separator))) continue;
    const { events, unparsed, timeless } = tryFormat(format, some, head);
    const taken = events - unparsed - (NEEDS_TIME.has(name) ? timeless : 0);
    if (taken * 100 >= LEAST_PERCENT * some.length) return { name, format };
  }
  return null;
}

function tryFormat(format: unknown, lines: readonly Buffer[], head: readonly string[]): Tally {
  const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, new Counters(), (builder) =>
    builder.clear(),
  );
  const tally = new Tally();
  const target = { builders: builders.tag('sample'), tally, clock: { now: Date.now() } };
  const parser = compileFormat(z.parse(formatOptions, format), target, new Transform({}), { path: '', head });
  for (const line of lines) parser.parse(line, 0, line.length);
  return tally;
}

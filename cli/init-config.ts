/** Configurations written by `tailrace init`: commented YAML from what was found on a host. */
import { stringify } from 'yaml';
import type { LeftOut } from './nginx-conf.ts';

export interface FoundLog {
  readonly path: string;
  readonly tag: string;
  /** The `format` of the input, as the configuration has it. */
  readonly format: string | Readonly<Record<string, string>>;
  /** Where an event has several lines: the first one's expression. */
  readonly start?: string;
  /** How it was found, for the comment. */
  readonly from: string;
}

/** What PHP's daemon writes, and what PHP itself does where a pool names a file: one expression for both. */
export const PHP_LOG = {
  format: {
    type: 'regexp',
    expression: String.raw`/^\[(?<time>[^\]]+)\] (?:(?:PHP )?(?<level>[A-Z][A-Za-z ]*): +)?(?:\[pool (?<pool>[^\]]+)\] )?(?<message>.*)$/m`,
  },
  start: String.raw`^\[\d{2}-[A-Z][a-z]{2}-\d{4} `,
};

export interface Found {
  readonly stateDir: string;
  readonly stream: string;
  readonly region: string;
  /** How the region was found. */
  readonly regionFrom: string;
  readonly logs: readonly FoundLog[];
  readonly leftOut: readonly LeftOut[];
}

export function agentYaml({ stateDir, stream, region, regionFrom, logs, leftOut }: Found): string {
  const inputs = logs.map(
    ({ path, tag, format, start, from }) =>
      `  # ${from}\n  - ${inline({ type: 'tail', path, tag })}${formatLines(format)}${
        start === undefined ? '' : `\n    multiline: { start: ${quoted(start)} }`
      }`,
  );
  for (const { directive, why } of leftOut) inputs.push(`  # left out: ${directive} ${why}`);
  if (logs.length === 0)
    inputs.push(
      '  # No access log was found: name yours.\n  - type: tail\n    path: /var/log/nginx/access.log\n    tag: nginx.access\n    format: nginx',
    );
  return `# Written by tailrace init. Every key is described in docs/agent.md; check this file with
#   tailrace agent --check --config FILE
state_dir: ${scalar(stateDir)}

stream:
  name: ${scalar(stream)}
  # ${regionFrom}
  region: ${scalar(region)}

inputs:
${inputs.join('\n')}
  # Events of fluentd clients, from this host only:
  - type: forward
    listen: 127.0.0.1:24224

# /health, /metrics and /status
http:
  listen: 127.0.0.1:24280

# Bucket that receives whatever a flush could not send by its deadline:
# spill:
#   bucket: my-spill-bucket
`;
}

export function consumerYaml({
  stream,
  region,
  regionFrom,
  bucket,
}: Omit<Found, 'logs' | 'leftOut' | 'stateDir'> & { readonly bucket: string }): string {
  return `# Written by tailrace init. Every key is described in docs/consumer.md; check this file with
#   tailrace consumer --check --config FILE
stream:
  name: ${scalar(stream)}
  # ${regionFrom}
  region: ${scalar(region)}

archive:
  bucket: ${scalar(bucket)}

# KCL's application: the name of its lease table.
application: tailrace

# /health, /metrics and /status
http:
  listen: 127.0.0.1:24281
`;
}

/** The keys of an input, one per line behind its dash. */
function inline(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}: ${scalar(value)}`)
    .join('\n    ');
}

function formatLines(format: FoundLog['format']): string {
  if (typeof format === 'string') return `\n    format: ${format}`;
  const lines = Object.entries(format).map(([key, value]) => `\n      ${key}: ${scalar(value)}`);
  return `\n    format:${lines.join('')}`;
}

/** A value as YAML writes it on one line, quoted where it must be. */
function scalar(value: string): string {
  return stringify(value, { lineWidth: 0 }).trimEnd();
}

/** A value that may stand between braces, too. */
function quoted(value: string): string {
  return stringify(value, { lineWidth: 0, defaultStringType: 'QUOTE_SINGLE' }).trimEnd();
}

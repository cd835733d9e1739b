/** What `${…}` in added fields can stand for: facts about the host and the instance. */
import { hostname } from 'node:os';
import { TailraceError } from '../../base/errors.ts';

const TRIES = 3;
const TIMEOUT_MS = 1000;
const TOKEN_SECONDS = '60';

/** Paths under `/latest/meta-data/` of the instance metadata service. */
const INSTANCE_PATHS = {
  instance_id: 'instance-id',
  availability_zone: 'placement/availability-zone',
  region: 'placement/region',
  instance_type: 'instance-type',
} as const;

/**
 * The values of the placeholders that a configuration uses. Only for those of the instance is its metadata service
 * (IMDSv2) asked.
 *
 * @param added the values to be added, in which the placeholders stand
 * @throws TailraceError METADATA when the service does not answer
 */
export async function resolvePlaceholders(
  added: Readonly<Record<string, unknown>> = {},
  endpoint = process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT ?? 'http://169.254.169.254',
): Promise<Record<string, string>> {
  const values: Record<string, string> = { hostname: hostname() };
  const text = JSON.stringify(added);
  const wanted = Object.entries(INSTANCE_PATHS).filter(([name]) => text.includes(`\${${name}}`));
  if (wanted.length === 0) return values;
  for (let attempt = 1; ; attempt++) {
    try {
      const token = await ask(`${endpoint}/latest/api/token`, 'PUT', {
        'x-aws-ec2-metadata-token-ttl-seconds': TOKEN_SECONDS,
      });
      for (const [name, path] of wanted) {
        values[name] = await ask(`${endpoint}/latest/meta-data/${path}`, 'GET', {
          'x-aws-ec2-metadata-token': token,
        });
      }
      return values;
    } catch (cause) {
      if (attempt < TRIES) continue;
      throw new TailraceError(
        'METADATA',
        `the instance metadata service at ${endpoint} does not answer, and \${${wanted[0]![0]}} is to be added to ` +
          'events: run on an EC2 instance with IMDSv2 reachable (hop limit 2 in containers), or leave it out',
        { retriable: true, cause },
      );
    }
  }
}

async function ask(url: string, method: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(url, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return (await response.text()).trim();
}

/** What `${…}` in added fields can stand for: facts about the host and the instance. */
import { hostname } from 'node:os';
import { TailraceError } from '../../base/errors.ts';
import type { Metadata } from './metadata.ts';

const TRIES = 3;

/** Paths under `/latest/meta-data/` of the instance metadata service. */
const INSTANCE_PATHS = {
  instance_id: 'instance-id',
  availability_zone: 'placement/availability-zone',
  region: 'placement/region',
  instance_type: 'instance-type',
} as const;

/**
 * The values of the placeholders that a configuration uses. The metadata service is asked only for those of the
 * instance.
 *
 * @param added the values to be added, in which the placeholders stand
 * @throws TailraceError METADATA when the service does not answer
 */
export async function resolvePlaceholders(
  added: Readonly<Record<string, unknown>> = {},
  metadata: Pick<Metadata, 'endpoint' | 'get'>,
): Promise<Record<string, string>> {
  const values: Record<string, string> = { hostname: hostname() };
  const text = JSON.stringify(added);
  for (const [name, path] of Object.entries(INSTANCE_PATHS)) {
    if (text.includes(`\${${name}}`)) values[name] = await instanceValue(name, path, metadata);
  }
  return values;
}

async function instanceValue(
  name: string,
  path: string,
  metadata: Pick<Metadata, 'endpoint' | 'get'>,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      const value = await metadata.get(path);
      if (value !== null) return value;
      throw new Error(`metadata ${path}: status 404`);
    } catch (cause) {
      if (attempt < TRIES) continue;
      throw new TailraceError(
        'METADATA',
        `the instance metadata service at ${metadata.endpoint} does not answer, and events are to carry \${${name}}: ` +
          'run on an EC2 instance with IMDSv2 reachable (hop limit 2 in containers), correct instance.endpoint, or ' +
          'remove the placeholder',
        { retriable: true, cause },
      );
    }
  }
}

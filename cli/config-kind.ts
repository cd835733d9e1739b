/** Tells the two configurations apart by their keys, so that a command given the wrong one says which it found. */

export type ConfigKind = 'agent' | 'consumer';

/** Top-level keys that only one of the two has. */
export const KEYS_OF: Readonly<Record<ConfigKind, readonly string[]>> = {
  agent: [
    'state_dir',
    'inputs',
    'compression',
    'lanes',
    'send',
    'spill',
    'instance',
    'seal',
    'spool',
    'emf',
    'log_file',
  ],
  consumer: [
    'archive',
    'dynamodb',
    'application',
    'worker_id',
    'kcl',
    'java',
    'batch',
    'dedupe_horizon',
    'restart',
  ],
};

const FILE_OF: Readonly<Record<ConfigKind, string>> = {
  agent: "an agent's configuration (agent.yaml)",
  consumer: "a consumer's configuration (consumer.yaml)",
};

/** @returns null when the keys do not say, as in an empty file */
export function kindOf(value: unknown): ConfigKind | null {
  if (value === null || typeof value !== 'object') return null;
  const keys = Object.keys(value);
  const score = (kind: ConfigKind): number => keys.filter((key) => KEYS_OF[kind].includes(key)).length;
  const [agent, consumer] = [score('agent'), score('consumer')];
  return agent === consumer ? null : agent > consumer ? 'agent' : 'consumer';
}

/** A sentence for a file of the wrong kind; null when it is of the expected one, or unclear. */
export function wrongKind(value: unknown, expected: ConfigKind): string | null {
  const kind = kindOf(value);
  if (kind === null || kind === expected) return null;
  const found = Object.keys(value as object).filter((key) => KEYS_OF[kind].includes(key));
  return `this is ${FILE_OF[kind]}: it has ${found.slice(0, 3).join(', ')}; this command needs ${FILE_OF[expected]}`;
}

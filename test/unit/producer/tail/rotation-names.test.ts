import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogNames } from '../../../../producer/tail/rotation.ts';

test('the log that a name suggests, in the forms that rotation commonly gives and in others', () => {
  const names = new LogNames<string>();
  for (const name of ['access.log', 'app.log', 'app.8080.log', 'web-1.log', 'web-2.log'])
    names.add(name, name);
  const hint = (name: string): string => {
    const found = names.hint(name);
    return found === null ? '' : `${found.log}${found.usual ? '' : ' ?'}`;
  };
  const cases: Readonly<Record<string, string>> = {
    'access.log.1': 'access.log',
    'access.log.2.gz': 'access.log',
    'access.log-20261123': 'access.log',
    'access-20261123.log.zst': 'access.log',
    'access.log.old': 'access.log',
    'app.1.log': 'app.log',
    'access.log.20261123T210407': 'access.log ?',
    'access__2026-11-23_21-04-07.log': 'access.log ?',
    'access.log.23-11-2026': 'access.log ?',
    '20261123-access.log': 'access.log ?',
    'access-1.log': 'access.log ?',
    'access.log~': 'access.log ?',
    'access.log.bk': 'access.log ?',
    'web-1.log.bk': 'web-1.log ?',
    'web-2-20261123.log': 'web-2.log',
    'app.8080.log.1': 'app.8080.log',
    // Logs themselves, and names of others.
    'access.log': '',
    'app.8080.log': 'app.log ?',
    'access-ssl.log': '',
    'error.log': '',
    'error.log.1': '',
  };
  assert.deepEqual(Object.fromEntries(Object.keys(cases).map((name) => [name, hint(name)])), cases);
});

/** Makes the handshake's rules of what the configuration says, secrets read from their files. */
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { TailraceError } from '../../base/errors.ts';
import { systemReason } from '../../base/system-error.ts';
import type { ClientRule, Security, User } from './handshake.ts';
import type { Secret, SecurityOptions } from './options.ts';

/** @throws TailraceError FORWARD_CONFIG when a file cannot be read or a network is not valid */
export function readSecurity(options: SecurityOptions): Security {
  const key = readSecret(options.shared_key);
  const users = options.users ? options.users.map(readUser) : null;
  const others: ClientRule = { sharedKey: key, users };
  return {
    hostname: options.self_hostname,
    others: options.allow_others ? others : null,
    clients: options.clients.map((client) => ({
      network: parseNetwork(client.network),
      sharedKey: client.shared_key === undefined ? key : readSecret(client.shared_key),
      users: client.users ? client.users.map(readUser) : users,
    })),
  };
}

function readUser(user: { username: string; password: Secret }): User {
  return { username: user.username, password: readSecret(user.password) };
}

function readSecret(secret: Secret): string {
  if (typeof secret === 'string') return secret;
  let text: string;
  try {
    text = readFileSync(secret.file, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new TailraceError('CONFIG', `the secret in ${secret.file} cannot be read: ${systemReason(cause)}`, {
      cause,
    });
  }
  if (text === '') throw new TailraceError('CONFIG', `the secret in ${secret.file} is empty`);
  return text;
}

/** An address, or a network as `10.0.0.0/8` or `fd00::/8`. */
function parseNetwork(text: string): BlockList {
  const list = new BlockList();
  const [address = '', prefix] = text.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  try {
    if (prefix === undefined) list.addAddress(address, family);
    else if (!/^\d+$/.test(prefix)) throw new Error('no prefix length');
    else list.addSubnet(address, Number(prefix), family);
  } catch (cause) {
    throw new TailraceError(
      'CONFIG',
      `${JSON.stringify(text)} is neither an address nor a network such as 10.0.0.0/8`,
      { cause },
    );
  }
  return list;
}

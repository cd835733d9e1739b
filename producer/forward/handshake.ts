/** The handshake of the forward protocol: HELO, PING and PONG, pure but for the nonces given to it. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { BlockList } from 'node:net';
import { malformed } from './errors.ts';
import { readHead } from './message.ts';
import { pack } from './msgpack-write.ts';

export interface User {
  readonly username: string;
  readonly password: string;
}

/** What the server asks of the clients from some network, or of all that no network names. */
export interface ClientRule {
  readonly sharedKey: string;
  /** Null where users are not asked for. */
  readonly users: readonly User[] | null;
}

export interface Security {
  /** The name that the server gives itself. */
  readonly hostname: string;
  readonly clients: readonly (ClientRule & { readonly network: BlockList })[];
  /** The rule of clients that no network names; null when they are refused. */
  readonly others: ClientRule | null;
}

/** One handshake's secrets. */
export interface Challenge {
  readonly nonce: Buffer;
  /** Salt of the password digest, empty when users are not asked for. */
  readonly auth: Buffer;
}

/** The rule for a client's address; null when it is refused. */
export function ruleFor(security: Security, address: string | undefined): ClientRule | null {
  if (address !== undefined) {
    const mapped = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
    const family = mapped.includes(':') ? 'ipv6' : 'ipv4';
    for (const client of security.clients) if (client.network.check(mapped, family)) return client;
  }
  return security.others;
}

export function helo(challenge: Challenge): Buffer {
  return pack(['HELO', { nonce: challenge.nonce, auth: challenge.auth, keepalive: true }]);
}

export interface Verdict {
  /** Null when the client is let in. */
  readonly failure: string | null;
  readonly pong: Buffer;
}

/**
 * Checks a PING and makes the answer.
 *
 * @param rule null when the client's address is refused
 * @throws RefusedError when the bytes at `at` are not a PING
 */
export function answerPing(
  bytes: Buffer,
  at: number,
  end: number,
  challenge: Challenge,
  security: Security,
  rule: ClientRule | null,
): Verdict {
  // Raw bytes throughout: a salt need not be UTF-8.
  const [hostname, salt, digest, username, passwordDigest] = readPing(bytes, at, end);
  if (rule === null) return refuse('this address is not allowed');
  const key = Buffer.from(rule.sharedKey);
  const failure = !equal(digest!, sha512Hex(salt!, hostname!, challenge.nonce, key))
    ? 'shared_key mismatch'
    : rule.users !== null && !knownUser(rule.users, challenge.auth, username!, passwordDigest!)
      ? 'username/password mismatch'
      : null;
  if (failure !== null) return refuse(failure);
  const own = Buffer.from(security.hostname);
  const proof = sha512Hex(salt!, own, challenge.nonce, key);
  return { failure: null, pong: pack(['PONG', true, '', security.hostname, proof]) };
}

function refuse(failure: string): Verdict {
  return { failure, pong: pack(['PONG', false, failure, '', '']) };
}

/** All users are looked at, so that the time tells nothing about which exist. */
function knownUser(users: readonly User[], auth: Buffer, username: Buffer, digest: Buffer): boolean {
  let known = false;
  for (const user of users) {
    const expected = sha512Hex(auth, Buffer.from(user.username), Buffer.from(user.password));
    const sameName = equal(username, user.username);
    if (equal(digest, expected) && sameName) known = true;
  }
  return known;
}

/** Compares in a time that depends on neither content. */
function equal(given: Buffer, expected: string): boolean {
  const a = hash('sha256', given, 'buffer');
  const b = hash('sha256', expected, 'buffer');
  return timingSafeEqual(a, b);
}

function sha512Hex(...parts: readonly Buffer[]): string {
  return hash('sha512', Buffer.concat(parts), 'hex');
}

function readPing(bytes: Buffer, at: number, end: number): Buffer[] {
  const outer = readHead(bytes, at);
  if (outer?.kind !== 'array' || outer.count !== 6)
    throw malformed('no PING where the handshake expects one');
  const parts: Buffer[] = [];
  at = outer.at;
  for (let i = 0; i < 6; i++) {
    const part = at < end ? readHead(bytes, at) : null;
    if (part?.kind !== 'bytes') throw malformed('no PING where the handshake expects one');
    parts.push(bytes.subarray(part.at, part.end));
    at = part.end;
  }
  if (parts.shift()!.toString('latin1') !== 'PING')
    throw malformed('no PING where the handshake expects one');
  return parts;
}

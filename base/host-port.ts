/** An address `host:port` or `[ipv6]:port`, as the configuration writes where something listens. */
import * as z from 'zod/mini';
import { type Address, parseAddress } from './address.ts';

export type HostPort = Extract<Address, { readonly host: string }>;

/** @returns null when it is no such address, or its port is above 65535 */
export function parseHostPort(text: string): HostPort | null {
  const address = parseAddress(text);
  return address !== null && 'host' in address ? address : null;
}

/** Configuration value: such an address, as text. */
export const hostPort = z
  .string()
  .check(z.refine((text) => parseHostPort(text) !== null, { error: 'expected host:port' }));

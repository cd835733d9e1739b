/** Addresses of the form `host:port` or `[ipv6]:port`, for everything that listens. */
import * as z from 'zod/mini';
import { type Address, parseAddress } from './address.ts';

export type HostPort = Extract<Address, { readonly host: string }>;

/** @returns null when `text` does not have that form or the port is above 65535 */
export function parseHostPort(text: string): HostPort | null {
  const address = parseAddress(text);
  return address !== null && 'host' in address ? address : null;
}

/** Configuration value: such an address, kept as text. */
export const hostPort = z
  .string()
  .check(z.refine((text) => parseHostPort(text) !== null, { error: 'expected host:port' }));

/** Listen addresses as they are written in a configuration. */

export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** Reads `host:port`, `[ipv6]:port` or `unix:/path`; null for anything else. */
export function parseAddress(text: string): Address | null {
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    return path.startsWith('/') ? { path } : null;
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match && port <= 65535 ? { host: (match[1] ?? match[2])!, port } : null;
}

export function addressText(address: Address): string {
  if ('path' in address) return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Free loopback ports, for programs that need theirs as an option. */
import * as net from 'node:net';

/** Ports that are free now: all are bound at once, so that they differ, and then released. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  const ports = await Promise.all(servers.map((server) => listen(server)));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Below what Linux (32768) and macOS (49152) choose from for whoever asks for any port. */
const FIRST = 20_000;
const LAST = 32_000;

/** Free ports for programs that come back to theirs: while one is away, nobody gets its port by chance. */
export async function lastingPorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let next = FIRST + ((process.pid * 16) % (LAST - FIRST)); ports.length < count; next++) {
    const server = net.createServer();
    const port = await listen(server, next).catch(() => null);
    if (port === null) continue;
    await new Promise((resolve) => server.close(resolve));
    ports.push(port);
  }
  return ports;
}

function listen(server: net.Server, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });
}

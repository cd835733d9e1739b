/**
 * The agent's HTTP endpoint on loopback: /health for load balancers and people, /metrics for Prometheus, /status for
 * `tailrace console`.
 */
import { createServer, type Server } from 'node:http';
import { Gauge, Counter as PrometheusCounter, Registry } from 'prom-client';
import { TailraceError } from '../base/errors.ts';
import { parseHostPort } from '../base/host-port.ts';
import type { Counters, Labels } from './counters.ts';
import { helpOf } from './metrics.ts';

export interface Health {
  readonly state: 'ready' | 'degraded' | 'stopping';
  /** Why it is not ready, one sentence each. */
  readonly reasons: readonly string[];
}

/** Gauges by metric name. */
export type Gauges = Readonly<Record<string, GaugeFamily>>;

export interface GaugeFamily {
  readonly help: string;
  readonly values: readonly { readonly labels: Labels; readonly value: number }[];
}

export interface HttpDependencies {
  readonly counters: Counters;
  readonly gauges: () => Gauges;
  readonly health: () => Health;
  /** What the control socket answers to `status`. */
  readonly status: () => object;
}

/**
 * Listens on an address that has been validated by the configuration.
 *
 * @throws TailraceError LISTEN that names the address when it is in use or not allowed
 */
export async function serveHttp(listen: string, dependencies: HttpDependencies): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/metrics') {
      exposition(dependencies).then(
        (text) => response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(text),
        (error: Error) => response.writeHead(500).end(`${error.message}\n`),
      );
    } else if (request.url === '/health') {
      const health = dependencies.health();
      response.statusCode = health.state === 'ready' ? 200 : 503;
      response.setHeader('content-type', 'application/json').end(`${JSON.stringify(health)}\n`);
    } else if (request.url === '/status') {
      response
        .setHeader('content-type', 'application/json')
        .end(`${JSON.stringify(dependencies.status())}\n`);
    } else {
      response.statusCode = 404;
      response.end('there is /health, /metrics and /status\n');
    }
  });
  const { host, port } = parseHostPort(listen)!;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new TailraceError('LISTEN', `http.listen: ${listen} cannot be used (${error.code})`, {
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  return server;
}

/** The text of /metrics, rendered from the plain numbers at each scrape. */
export async function exposition({
  counters,
  gauges,
}: Pick<HttpDependencies, 'counters' | 'gauges'>): Promise<string> {
  const registry = new Registry();
  const metrics = new Map<string, PrometheusCounter>();
  for (const { name, labels, value } of counters) {
    let metric = metrics.get(name);
    if (!metric) {
      metric = new PrometheusCounter({
        name,
        help: helpOf(name),
        labelNames: labelNames(counters, name),
        registers: [registry],
      });
      metrics.set(name, metric);
    }
    metric.inc({ ...labels }, value);
  }
  for (const [name, { help, values }] of Object.entries(gauges())) {
    const gauge = new Gauge({
      name,
      help,
      labelNames: Object.keys(values[0]?.labels ?? {}),
      registers: [registry],
    });
    for (const { labels, value } of values) gauge.set({ ...labels }, value);
  }
  return registry.metrics();
}

function labelNames(counters: Counters, name: string): string[] {
  const names = new Set<string>();
  for (const counter of counters)
    if (counter.name === name) for (const label of Object.keys(counter.labels)) names.add(label);
  return [...names];
}

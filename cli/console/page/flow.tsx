/** The way of events as a picture: producers, shards, the archive, and what flows between them. */
import { age, bytes } from '../../../base/human.ts';
import type { Link, Now, ProducerLine, ShardLine } from '../api.ts';
import { ago, perSecond, producerName, shardName, short } from './format.ts';
import { Empty, Mark, Panel } from './parts.tsx';

const MOST_PRODUCERS = 8;
const MOST_SHARDS = 12;
const MOST_TAGS = 8;
const ROW = 56;
/** Widths of lines, px. */
const WIDTH = { least: 1, most: 9 };

interface Node {
  readonly id: string;
  readonly title: string;
  readonly facts: readonly string[];
  readonly level: ProducerLine['level'];
  readonly heat: number | null;
  readonly events: number;
}

export function Flow({ now }: { now: Now }) {
  const producers = producerNodes(now);
  const shards = shardNodes(now);
  const rows = Math.max(producers.length, shards.length, 2);
  const height = rows * ROW;
  if (producers.length + shards.length === 0)
    return (
      <Panel id="flow" title="The way of an event">
        <Empty>
          No producer and no shard is known yet. Start an agent and a consumer, or name them with{' '}
          <code>--status</code>.
        </Empty>
      </Panel>
    );
  const inFlow = linesBetween(now.links, producers, shards, height);
  const most = Math.max(0, ...shards.map(({ events }) => events));
  const toArchive = shards.map((shard, i) => ({
    key: shard.id,
    from: centre(i, shards.length, height),
    to: height / 2 + (centre(i, shards.length, height) - height / 2) * 0.5,
    width: widthOf(shard.events, most),
    isIdle: shard.events <= 0,
  }));
  return (
    <Panel id="flow" title="The way of an event" aside={`rates of shards: ${now.shardSource}`}>
      <div class="flow">
        <Column title="Producers" nodes={producers} height={height} />
        <Wires wires={inFlow} height={height} rate={sumOf(producers)} />
        <Column title="Shards" nodes={shards} height={height} />
        <Wires wires={toArchive} height={height} rate={now.archived?.events ?? null} />
        <ArchiveNode now={now} height={height} />
      </div>
    </Panel>
  );
}

function Column({ title, nodes, height }: { title: string; nodes: readonly Node[]; height: number }) {
  return (
    <div class="column">
      <h3>{title}</h3>
      <ul style={{ '--height': `${height}px`, '--rows': nodes.length || 1 }}>
        {nodes.map((node) => (
          <li key={node.id} class={`node ${node.level}`}>
            <div class="name">
              <Mark level={node.level} />
              <span title={node.id}>{node.title}</span>
            </div>
            <div class="facts">{node.facts.join(' · ')}</div>
            {node.heat === null ? null : <Heat heat={node.heat} />}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Heat({ heat }: { heat: number }) {
  const percent = Math.round(heat * 100);
  const level = heat > 0.9 ? 'bad' : heat > 0.7 ? 'note' : 'good';
  return (
    <div class={`heat ${level}`} role="img" aria-label={`${percent} % of what a shard takes is used`}>
      <div style={{ width: `${Math.max(heat > 0 ? 1 : 0, Math.min(100, heat * 100))}%` }} />
    </div>
  );
}

function ArchiveNode({ now, height }: { now: Now; height: number }) {
  const total = now.tags.reduce((sum, { events }) => sum + events, 0);
  const stored = now.tags.reduce((sum, tag) => sum + tag.bytes, 0);
  return (
    <div class="column">
      <h3>Archive</h3>
      <div class="node archive" style={{ '--height': `${height}px` }}>
        <div class="name">{now.place}</div>
        <div class="facts">
          {perSecond(now.archived)} · newest {ago(now.newest, now.at)}
        </div>
        <table>
          <caption class="hidden">Tags, by events</caption>
          <tbody>
            {now.tags.slice(0, MOST_TAGS).map(({ tag, events, bytes: size }) => (
              <tr key={tag}>
                <th scope="row">{tag}</th>
                <td>{short(events)}</td>
                <td>{bytes(size)}</td>
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">
                {now.tags.length > MOST_TAGS ? `all ${now.tags.length} tags` : 'shown hours'}
              </th>
              <td>{short(total)}</td>
              <td>{bytes(stored)}</td>
            </tr>
          </tfoot>
        </table>
      </div>
    </div>
  );
}

interface Wire {
  readonly key: string;
  readonly from: number;
  readonly to: number;
  readonly width: number;
  readonly isIdle: boolean;
}

function Wires({ wires, height, rate }: { wires: readonly Wire[]; height: number; rate: number | null }) {
  return (
    <div class="wires" aria-hidden="true">
      <svg
        aria-hidden="true"
        viewBox={`0 0 100 ${height}`}
        preserveAspectRatio="none"
        style={{ height: `${height}px` }}
      >
        {wires.map(({ key, from, to, width, isIdle }) => (
          <path
            key={key}
            class={isIdle ? 'idle' : ''}
            d={`M0 ${from}C50 ${from} 50 ${to} 100 ${to}`}
            stroke-width={width}
            vector-effect="non-scaling-stroke"
          />
        ))}
      </svg>
      <span class="down">↓ {rate === null ? '' : `${short(rate)} events/s`}</span>
    </div>
  );
}

function producerNodes({ producers, moreProducers }: Now): Node[] {
  const running = producers.filter(({ state }) => state !== 'stopped');
  const active = running.length > 0 ? running : producers;
  const shown = active.slice(0, active.length > MOST_PRODUCERS ? MOST_PRODUCERS - 1 : MOST_PRODUCERS);
  const rest = active.slice(shown.length);
  const nodes = shown.map((one): Node => {
    const { producer, host, level, rate, spool, state } = one;
    return {
      id: producer,
      title: producerName(host, producer),
      facts: [perSecond(rate), ...(spool?.chunks ? [`oldest unsent ${age(spool.oldestMs)}`] : [state])],
      ...{ level, heat: null, events: rate?.events ?? 0 },
    };
  });
  if (rest.length + moreProducers > 0) {
    const events = rest.reduce((sum, { rate }) => sum + (rate?.events ?? 0), 0);
    nodes.push({
      id: 'others',
      title: `${rest.length + moreProducers} more`,
      facts: [`${short(events)}/s`],
      ...{ level: 'good', heat: null, events },
    });
  }
  return nodes;
}

function shardNodes({ shards, moreShards }: Now): Node[] {
  const shown = shards.slice(0, shards.length > MOST_SHARDS ? MOST_SHARDS - 1 : MOST_SHARDS);
  const rest = shards.slice(shown.length);
  const nodes = shown.map((one): Node => {
    const { shard, level, heat, events } = one;
    return { id: shard, title: shardName(shard), facts: shardFacts(one), level, heat, events: events ?? 0 };
  });
  if (rest.length + moreShards > 0) {
    const events = rest.reduce((sum, one) => sum + (one.events ?? 0), 0);
    const heat = Math.max(0, ...rest.map((one) => one.heat ?? 0));
    nodes.push({
      id: 'others',
      title: `${rest.length + moreShards} more`,
      facts: [`${short(events)}/s`, 'the hottest of them'],
      ...{ level: 'good', heat, events },
    });
  }
  return nodes;
}

function shardFacts({ events, behindMs, heat, trouble }: ShardLine): string[] {
  if (trouble !== null) return [trouble];
  return [
    `${events === null ? '–' : short(events)}/s`,
    ...(heat === null ? [] : [`${(heat * 100).toFixed(heat < 0.1 ? 1 : 0)} % used`]),
    ...(behindMs === null ? [] : [behindMs === 0 ? 'caught up' : `${age(behindMs)} behind`]),
  ];
}

function linesBetween(
  links: readonly Link[],
  producers: readonly Node[],
  shards: readonly Node[],
  height: number,
): Wire[] {
  const from = placesOf(producers, height);
  const to = placesOf(shards, height);
  const wires = new Map<string, { from: number; to: number; events: number }>();
  for (const { producer, shard, events } of links) {
    const start = from.get(producer) ?? from.get('others');
    const end = to.get(shard) ?? to.get('others');
    if (start === undefined || end === undefined) continue;
    const wire = wires.get(`${start} ${end}`) ?? { from: start, to: end, events: 0 };
    wires.set(`${start} ${end}`, wire);
    wire.events += events;
  }
  const most = Math.max(0, ...[...wires.values()].map(({ events }) => events));
  return [...wires].map(([key, { events, ...ends }]) => ({
    ...{ key, ...ends },
    width: widthOf(events, most),
    isIdle: events <= 0,
  }));
}

function placesOf(nodes: readonly Node[], height: number): Map<string, number> {
  return new Map(nodes.map(({ id }, i) => [id, centre(i, nodes.length, height)]));
}

function centre(i: number, n: number, height: number): number {
  return ((i + 0.5) * height) / n;
}

/** By the square root: a tenth of the traffic can still be seen. */
function widthOf(events: number, most: number): number {
  return Math.max(WIDTH.least, WIDTH.most * Math.sqrt(most === 0 ? 0 : events / most));
}

function sumOf(nodes: readonly Node[]): number {
  return nodes.reduce((sum, { events }) => sum + events, 0);
}

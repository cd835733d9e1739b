/** Shards, producers, consumers and instances as tables. */
import type { ComponentChildren } from 'preact';
import { age, bytes, count } from '../../../base/human.ts';
import type { ConsumerLine, GroupsView, InstanceLine, Now, ProducerLine, ShardLine } from '../api.ts';
import { Heat } from './flow.tsx';
import { ago, bytesPerSecond, dateTime, perSecond, producerName, shardName, short } from './format.ts';
import { Empty, Mark, Panel } from './parts.tsx';

interface TableProps {
  readonly label: string;
  readonly heads: readonly string[];
  /** Which column is the first of numbers, from 1. */
  readonly numbersFrom: number;
  readonly children: ComponentChildren;
}

function Table({ label, heads, numbersFrom, children }: TableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled can be scrolled by keys
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table class={`lines from${numbersFrom}`}>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

export function Shards({ now }: { now: Now }) {
  const { shards, moreShards, shardSource } = now;
  return (
    <Panel id="shards" title="Shards" aside={`rates: ${shardSource}`}>
      {shards.length === 0 ? (
        <Empty>No shard has a log in the archive yet.</Empty>
      ) : (
        <Table
          label="Table of shards"
          heads={[
            'shard',
            'used',
            'in',
            'records',
            'refused',
            'events',
            'behind',
            'waiting',
            'newest archived',
            'commits',
          ]}
          numbersFrom={3}
        >
          {shards.map((shard) => (
            <ShardRow key={shard.shard} line={shard} at={now.at} />
          ))}
        </Table>
      )}
      {moreShards > 0 ? <p class="aside">and {count(moreShards)} more</p> : null}
      <Consumers consumers={now.consumers} />
    </Panel>
  );
}

function ShardRow({ line, at }: { line: ShardLine; at: number }) {
  const { shard, level, state, heat, bytes: size, records, refused, events, behindMs, trouble } = line;
  const { pendingBytes, oldestPendingMs, newest, commits } = line;
  return (
    <tr>
      <th scope="row" title={shard}>
        <Mark level={level} /> {shardName(shard)} <span class="aside">{trouble ?? state}</span>
      </th>
      <td class="used">{heat === null ? '–' : <Heat heat={heat} />}</td>
      <td>{bytesPerSecond(size)}</td>
      <td>{records === null ? '–' : `${short(records)}/s`}</td>
      <td>{refused === null ? '–' : `${short(refused)}/s`}</td>
      <td>{events === null ? '–' : `${short(events)}/s`}</td>
      <td>{behindMs === null ? '–' : behindMs === 0 ? 'caught up' : age(behindMs)}</td>
      <td>
        {pendingBytes === null ? '–' : bytes(pendingBytes)}
        {oldestPendingMs === null ? '' : `, ${age(oldestPendingMs)}`}
      </td>
      <td>{ago(newest, at)}</td>
      <td>{commits === null ? '–' : count(commits)}</td>
    </tr>
  );
}

function Consumers({ consumers }: { consumers: readonly ConsumerLine[] }) {
  if (consumers.length === 0) return null;
  return (
    <ul class="consumers" aria-label="Consumers">
      {consumers.map(({ worker, stream, version, phase, shards, restarts, faults }) => (
        <li key={`${worker} ${stream}`}>
          <Mark level={faults.length > 0 ? 'bad' : phase === 'running' ? 'good' : 'note'} /> consumer{' '}
          <b>{worker}</b> {phase}, {count(shards)} shards of {stream}
          {version === null ? '' : `, version ${version}`}
          {restarts === 0 ? '' : `, ${count(restarts)} restarts of its daemon`}
        </li>
      ))}
    </ul>
  );
}

export function Producers({ now }: { now: Now }) {
  const { producers, moreProducers, at } = now;
  return (
    <Panel id="producers" title="Producers" aside="what needs attention comes first">
      {producers.length === 0 ? (
        <Empty>
          No agent is known yet: its first chunk in the archive, or <code>--status</code>, names it.
        </Empty>
      ) : (
        <Table
          label="Table of producers"
          heads={[
            'producer',
            'state',
            'version',
            'events',
            'spool',
            'oldest unsent',
            'last cut',
            'read up to',
            'last heard',
            'began',
          ]}
          numbersFrom={4}
        >
          {producers.map((producer) => (
            <ProducerRow key={producer.producer} line={producer} at={at} />
          ))}
        </Table>
      )}
      {moreProducers > 0 ? <p class="aside">and {count(moreProducers)} more, without trouble</p> : null}
    </Panel>
  );
}

function ProducerRow({ line, at }: { line: ProducerLine; at: number }) {
  const { producer, host, level, state, reasons, version, rate, spool, lastCut, until, heard, started } =
    line;
  return (
    <tr>
      <th scope="row" title={producer}>
        <Mark level={level} /> {producerName(host, producer)}
        {host === null ? null : <span class="aside"> {producer.slice(0, 8)}</span>}
        {line.instance === null ? null : <span class="aside"> {line.instance}</span>}
      </th>
      <td>
        {state}
        {reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}
      </td>
      <td>{version ?? '–'}</td>
      <td>{perSecond(rate)}</td>
      <td>{spool === null ? '–' : bytes(spool.bytes)}</td>
      <td>{spool === null ? '–' : spool.chunks === 0 ? 'none' : age(spool.oldestMs)}</td>
      <td>{ago(lastCut, at)}</td>
      <td>{ago(until, at)}</td>
      <td>{ago(heard, at)}</td>
      <td>{started === null ? '–' : dateTime(started)}</td>
    </tr>
  );
}

export function Instances({ groups, at }: { groups: GroupsView | null; at: number }) {
  return (
    <Panel id="instances" title="Terminations" aside={groups === null ? '' : groupsText(groups)}>
      {groups === null ? (
        <Empty>
          Instances that are ending, and those retained because they could not flush, are shown with{' '}
          <code>--group NAME</code>.
        </Empty>
      ) : groups.waiting.length + groups.retained.length === 0 ? (
        <Empty>No instance is ending, and none is retained.</Empty>
      ) : (
        <Table label="Table of instances" heads={['instance', 'group', 'state', 'since']} numbersFrom={4}>
          {groups.retained.map((line) => (
            <InstanceRow key={line.instance} line={line} level="bad" at={at} />
          ))}
          {groups.waiting.map((line) => (
            <InstanceRow key={line.instance} line={line} level="note" at={at} />
          ))}
        </Table>
      )}
    </Panel>
  );
}

function groupsText({ groups }: GroupsView): string {
  const lax = groups.filter(({ retains }) => !retains).map(({ name }) => name);
  const sizes = groups.map(({ name, size }) => `${name} ${size}`).join(', ');
  return lax.length === 0 ? sizes : `${sizes}; without retention: ${lax.join(', ')}`;
}

function InstanceRow({ line, level, at }: { line: InstanceLine; level: 'bad' | 'note'; at: number }) {
  return (
    <tr>
      <th scope="row">
        <Mark level={level} /> {line.instance}
      </th>
      <td>{line.group}</td>
      <td>{line.state}</td>
      <td>{ago(line.since, at)}</td>
    </tr>
  );
}

export function BlindSpots({ now }: { now: Now }) {
  if (now.blind.length === 0) return null;
  return (
    <Panel id="blind" title="Not shown here">
      <dl class="blind">
        {now.blind.map(({ what, how }) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{how}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

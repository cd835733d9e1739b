/** The three sentences at the top of the console: is everything well, is it all there, what is behind; pure. */
import { age, count, plain } from '../../base/human.ts';
import type {
  ConsumerLine,
  GroupsView,
  HourBar,
  Level,
  ProducerLine,
  ShardLine,
  Story,
  Verdict,
} from './api.ts';
import { BAD_MS } from './lines.ts';

export interface StoryFacts {
  readonly now: number;
  readonly producers: readonly ProducerLine[];
  readonly shards: readonly ShardLine[];
  readonly consumers: readonly ConsumerLine[];
  readonly groups: GroupsView | null;
  readonly hours: readonly HourBar[];
  /** Arrival of the newest archived record. */
  readonly newest: number | null;
  /** What does not respond or cannot be read, in a sentence each. */
  readonly troubles: readonly string[];
  /** Whether the archive is being read for the first time. */
  readonly isReading: boolean;
  /** Whether any status is watched. */
  readonly isWatching: boolean;
}

const HOUR_MS = 3_600_000;
const NOTED_MS = 60_000;
/** An agent whose oldest unsent chunk is older calls itself degraded. */
const OLD_MS = 300_000;
const SHOWN = 5;

const READING: Verdict = { level: 'unknown', text: 'The archive is being read', details: [] };

export function storyOf(facts: StoryFacts): Story {
  if (facts.isReading) return { well: wellOf(facts), complete: READING, behind: READING };
  return { well: wellOf(facts), complete: completeOf(facts), behind: behindOf(facts) };
}

function wellOf({ producers, consumers, shards, groups, troubles, isWatching, newest }: StoryFacts): Verdict {
  const bad = [
    ...troubles,
    ...consumers.flatMap(({ worker, phase, faults }) =>
      faults.length > 0
        ? faults.map((fault) => `consumer ${plain(worker)}: ${plain(fault)}`)
        : phase === 'running' || phase === 'starting'
          ? []
          : [`consumer ${plain(worker)} is ${phase}`],
    ),
    ...producers
      .filter(({ level }) => level === 'bad')
      .map(
        (one) =>
          `${nameOf(one)} is ${one.state}${one.reasons.length > 0 ? `: ${plain(one.reasons.join('; '))}` : ''}`,
      ),
    ...(groups?.retained ?? []).map(({ instance }) => `${plain(instance)} could not flush and is retained`),
  ];
  const silent = producers.filter(({ state }) => state === 'silent');
  const notes = [
    ...silent.map((one) => `${nameOf(one)} is silent`),
    ...producers
      .filter(({ level, state }) => level === 'note' && state !== 'silent')
      .map(
        (one) =>
          `${nameOf(one)} is ${one.state}${one.reasons.length > 0 ? `: ${plain(one.reasons.join('; '))}` : ''}`,
      ),
    ...(groups?.waiting ?? []).map(({ instance, state }) => `${plain(instance)} is ending (${state})`),
  ];
  if (bad.length > 0)
    return verdict('bad', `${things(bad.length)} need${bad.length === 1 ? 's' : ''} attention`, [
      ...bad,
      ...notes,
    ]);
  if (notes.length > 0) return verdict('note', `Well, with ${things(notes.length)} to note`, notes);
  const sending = producers.filter(({ state }) => state === 'sending' || state === 'ready').length;
  const parts = [
    `${count(sending)} ${sending === 1 ? 'producer' : 'producers'} sending`,
    ...(consumers.length === 0
      ? []
      : [`${count(consumers.length)} ${consumers.length === 1 ? 'consumer' : 'consumers'} running`]),
    `${count(shards.length)} ${shards.length === 1 ? 'shard' : 'shards'}`,
  ];
  if (newest === null && !isWatching)
    return verdict('unknown', 'Nothing is known yet', ['no commit is in the archive']);
  if (!isWatching) return verdict('good', 'Nothing wrong in the archive', [parts.join(', ')]);
  return verdict('good', 'Everything is well', [parts.join(', ')]);
}

function completeOf({ now, hours }: StoryFacts): Verdict {
  const over = hours.filter(({ state }) => state !== 'running' && state !== 'before');
  const holed = over.filter(({ state }) => state === 'holed');
  const open = over.filter(({ state }) => state === 'open' || state === 'reopened');
  const running = hours.filter(({ state }) => state === 'running');
  const last = over.findLast(({ state }) => state === 'closed');
  const upTo = last ? `Complete up to ${clock(last.hour + 1, now)}` : 'No hour is complete yet';
  const late = over.reduce((sum, hour) => sum + hour.late, 0);
  const closed = over.length - holed.length - open.length;
  const sums =
    over.length === 0
      ? []
      : [
          `${closed} of ${over.length} hours closed, ${holed.length === 0 ? 'no holes' : `${holed.length} with holes`}`,
        ];
  if (late > 0) sums.push(`${count(late)} chunks came late`);
  if (holed.length > 0)
    return verdict('bad', `Chunks are missing in ${holed.length} ${holed.length === 1 ? 'hour' : 'hours'}`, [
      ...holed.toReversed().map((hour) => `${clock(hour.hour, now)}: ${waitText(hour)}`),
      'tailrace verify names them exactly',
      ...sums,
    ]);
  if (over.length === 0)
    return running.some(({ events }) => events > 0)
      ? verdict('good', 'The first hour is running', ['an hour closes ten minutes after its end'])
      : verdict('unknown', 'Nothing is archived yet', ['the first batch makes the first hour']);
  // The hour that ended last waits a few minutes for its watermarks.
  const isUsual = open.every(
    ({ hour, waits }) =>
      hour === over.at(-1)!.hour && waits.every(({ why }) => why === 'awaited' || why === 'late'),
  );
  if (open.length === 0 || isUsual)
    return verdict('good', upTo, [
      ...sums,
      ...open.map((hour) => `${clock(hour.hour, now)}: ${waitText(hour)}`),
    ]);
  return verdict('note', `${upTo}, ${open.length} open`, [
    ...open.toReversed().map((hour) => `${clock(hour.hour, now)}: ${waitText(hour)}`),
    ...sums,
  ]);
}

const WHY: Readonly<Record<HourBar['waits'][number]['why'], string>> = {
  awaited: 'awaited',
  behind: 'behind',
  silent: 'silent',
  stopped: 'stopped a moment ago',
  missing: 'whose chunks are missing',
  unmarked: 'without watermarks',
  late: 'late',
};

function waitText({ waits, moreWaits }: HourBar): string {
  const byWhy = Object.entries(Object.groupBy(waits, ({ why }) => why)).map(
    ([why, list]) =>
      `${list.length} ${list.length === 1 ? 'producer' : 'producers'} ${WHY[why as keyof typeof WHY]}`,
  );
  return `${byWhy.join(', ')}${moreWaits > 0 ? `, and ${count(moreWaits)} more` : ''}`;
}

function behindOf({ now, producers, shards, newest, isWatching }: StoryFacts): Verdict {
  const lags: { ms: number; bad: number; text: string }[] = [];
  for (const one of producers) {
    const ms = one.spool?.chunks ? one.spool.oldestMs : 0;
    lags.push({ ms, bad: OLD_MS, text: `${nameOf(one)} holds chunks of ${age(ms)} ago` });
  }
  for (const { shard, behindMs } of shards) {
    const ms = behindMs ?? 0;
    lags.push({ ms, bad: BAD_MS, text: `${plain(shard)} is read ${age(ms)} behind` });
  }
  const late = lags.filter(({ ms }) => ms > NOTED_MS).sort((a, b) => b.ms - a.ms);
  const newestText =
    newest === null ? [] : [`the newest archived record came ${age(Math.max(0, now - newest))} ago`];
  const oldest = Math.max(0, ...shards.map(({ oldestPendingMs }) => oldestPendingMs ?? 0));
  if (oldest > 0) newestText.push(`the oldest record that is read and not archived, ${age(oldest)} ago`);
  if (late.length > 0) {
    const level: Level = late.some(({ ms, bad }) => ms > bad) ? 'bad' : 'note';
    return verdict(level, `${age(late[0]!.ms)} behind`, [...late.map(({ text }) => text), ...newestText]);
  }
  if (newest === null) return verdict('unknown', 'Nothing to be behind yet', []);
  if (isWatching) return verdict('good', 'Nothing is behind', newestText);
  const isOld = now - newest > BAD_MS && producers.some(({ state }) => state !== 'stopped');
  return verdict(isOld ? 'note' : 'good', `Archived up to ${age(Math.max(0, now - newest))} ago`, [
    'how far readers are behind is not watched',
  ]);
}

function verdict(level: Level, text: string, details: readonly string[]): Verdict {
  const more = details.length - SHOWN;
  return { level, text, details: more > 1 ? [...details.slice(0, SHOWN), `and ${more} more`] : details };
}

function things(n: number): string {
  return n === 1 ? 'one thing' : `${count(n)} things`;
}

function nameOf({ host, producer }: ProducerLine): string {
  return plain(host ?? `producer ${producer.slice(0, 12)}`);
}

/** `14:00`, with its day where that is not today's; UTC. */
function clock(hour: number, now: number): string {
  const iso = new Date(hour * HOUR_MS).toISOString();
  const time = iso.slice(11, 16);
  return iso.startsWith(new Date(now).toISOString().slice(0, 10)) ? time : `${iso.slice(5, 10)} ${time}`;
}

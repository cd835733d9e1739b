/** The console's page: one glance at the top, then the way of events, hours, and what there is to look into. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { count } from '../../../base/human.ts';
import type { Now } from '../api.ts';
import { Flow } from './flow.tsx';
import { hourText, time } from './format.ts';
import { Hours } from './hours.tsx';
import { type Connection, useLive } from './live.ts';
import { Empty } from './parts.tsx';
import { Plots } from './plots.tsx';
import { examplesOf, Query } from './query.tsx';
import { NO_WISH, Search } from './search.tsx';
import { StoryStrip } from './story.tsx';
import './style.css';
import { BlindSpots, Instances, Producers, Shards } from './tables.tsx';

const PLACES = [
  ['flow', 'Flow'],
  ['hours', 'Hours'],
  ['search', 'Search'],
  ['query', 'Query'],
  ['shards', 'Shards'],
  ['producers', 'Producers'],
] as const;

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  connecting: 'connecting',
  live: 'live',
  paused: 'paused while hidden',
  lost: 'the console does not respond: is it still running?',
};

/** Keys for those who type: `/` the search, `q` the query, `h` the hours. */
const SHORTCUTS: Readonly<Record<string, readonly [section: string, field?: string]>> = {
  '/': ['search', 'pattern'],
  q: ['query', 'sql'],
  h: ['hours'],
};

function onShortcut(event: KeyboardEvent): void {
  const place = SHORTCUTS[event.key];
  const isTyping =
    event.target instanceof Element && event.target.closest('input, textarea, select') !== null;
  if (!place || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  goTo(...place);
}

function goTo(section: string, field?: string): void {
  const place = document.getElementById(section);
  place?.scrollIntoView({ block: 'start' });
  const target =
    field === undefined
      ? place?.querySelector<HTMLElement>('[tabindex="0"]')
      : document.getElementById(field);
  (target ?? place)?.focus({ preventScroll: true });
}

function sqlOfHour(hour: number): string {
  return `SELECT tag, count(*) AS events, min(time) AS first, max(time) AS last
FROM logs
WHERE hour = TIMESTAMP '${hourText(hour)}:00'
GROUP BY 1 ORDER BY 2 DESC`;
}

function HourActions({ search, query }: { search: () => void; query: () => void }) {
  return (
    <p class="buttons">
      <button type="button" class="plain" onClick={search}>
        Search this hour
      </button>
      <button type="button" class="plain" onClick={query}>
        Query this hour
      </button>
    </p>
  );
}

function Top({ now, connection }: { now: Now | null; connection: Connection }) {
  return (
    <header class="top">
      <h1>tailrace</h1>
      <p class="place">{now?.place ?? ''}</p>
      <nav aria-label="Sections">
        {PLACES.map(([id, name]) => (
          <a key={id} href={`#${id}`}>
            {name}
          </a>
        ))}
      </nav>
      <p class={`connection ${connection}`} role="status">
        {CONNECTIONS[connection]}
        {connection === 'live' && now ? ` ${time(now.at)} UTC` : ''}
      </p>
    </header>
  );
}

function App() {
  const { now, past, connection } = useLive();
  useEffect(() => {
    const level = now?.story.well.level;
    document.title = `${level === 'bad' ? '■ ' : level === 'note' ? '▲ ' : ''}tailrace console`;
  }, [now?.story.well.level]);
  const [wish, setWish] = useState(NO_WISH);
  const [typed, setTyped] = useState<string | null>(null);
  const tag = now?.tags[0]?.tag ?? 'nginx.access';
  const sql = typed ?? examplesOf(tag)[3]![1];
  useEffect(() => {
    document.addEventListener('keydown', onShortcut);
    return () => document.removeEventListener('keydown', onShortcut);
  }, []);
  const names = new Map(now?.producers.map(({ producer, host }) => [producer, host]) ?? []);
  const search = (hour: number): void => {
    const from = hourText(hour).replace(' ', 'T').slice(0, 13);
    setWish({ ...wish, last: '', from, to: from });
    goTo('search', 'pattern');
  };
  const query = (hour: number): void => {
    setTyped(sqlOfHour(hour));
    goTo('query', 'sql');
  };
  return (
    <>
      <a class="skip" href="#flow">
        Skip to the picture
      </a>
      <Top now={now} connection={connection} />
      <main>
        {now === null ? (
          <Empty>Asking the console …</Empty>
        ) : (
          <>
            {now.reading === null ? null : (
              <p class="reading" role="status">
                Reading the archive
                {now.reading.total > 0
                  ? `: ${count(now.reading.done)} of ${count(now.reading.total)} commits`
                  : ' …'}
              </p>
            )}
            <StoryStrip story={now.story} />
            <Flow now={now} />
            {past === null ? null : <Plots past={past} />}
            {past === null ? null : (
              <Hours
                isReading={now.reading !== null}
                past={past}
                names={names}
                actions={({ hour }) => <HourActions search={() => search(hour)} query={() => query(hour)} />}
              />
            )}
            <Search tags={now.tags} wish={wish} change={setWish} />
            <Query tag={tag} sql={sql} change={setTyped} />
            <Shards now={now} />
            <Producers now={now} />
            <Instances groups={now.groups} at={now.at} />
            <BlindSpots now={now} />
            <footer>
              tailrace {now.version} · {count(now.requests.lastHour)} calls of S3 in the last hour,{' '}
              {count(now.requests.total)} since the start · this page only reads · keys: / search, q query, h
              hours
            </footer>
          </>
        )}
      </main>
    </>
  );
}

render(<App />, document.getElementById('root')!);

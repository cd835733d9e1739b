/** The console's page: one glance at the top, then the way of events, hours, and what there is to look into. */
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { count } from '../../../base/human.ts';
import { Flow } from './flow.tsx';
import { time } from './format.ts';
import { Hours } from './hours.tsx';
import { type Connection, useLive } from './live.ts';
import { Empty } from './parts.tsx';
import { Plots } from './plots.tsx';
import { StoryStrip } from './story.tsx';
import './style.css';
import { BlindSpots, Instances, Producers, Shards } from './tables.tsx';

const PLACES = [
  ['flow', 'Flow'],
  ['hours', 'Hours'],
  ['shards', 'Shards'],
  ['producers', 'Producers'],
] as const;

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  connecting: 'connecting',
  live: 'live',
  paused: 'paused while hidden',
  lost: 'the console does not respond: is it still running?',
};

function App() {
  const { now, past, connection } = useLive();
  useEffect(() => {
    const level = now?.story.well.level;
    document.title = `${level === 'bad' ? '■ ' : level === 'note' ? '▲ ' : ''}tailrace console`;
  }, [now?.story.well.level]);
  const names = new Map(now?.producers.map(({ producer, host }) => [producer, host]) ?? []);
  return (
    <>
      <a class="skip" href="#flow">
        Skip to the picture
      </a>
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
            {past === null ? null : <Hours past={past} names={names} actions={() => <></>} />}
            <Shards now={now} />
            <Producers now={now} />
            <Instances groups={now.groups} at={now.at} />
            <BlindSpots now={now} />
            <footer>
              tailrace {now.version} · {count(now.requests.lastHour)} calls of S3 in the last hour,{' '}
              {count(now.requests.total)} since the start · this page only reads
            </footer>
          </>
        )}
      </main>
    </>
  );
}

render(<App />, document.getElementById('root')!);

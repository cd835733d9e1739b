/** Hours as bars: how much is in each, and whether it is complete. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { age, bytes, count } from '../../../base/human.ts';
import type { HourBar, HourState, HourWait, Past } from '../api.ts';
import { hourText, producerName } from './format.ts';
import { Empty, Panel } from './parts.tsx';

const STATES: Readonly<Record<HourState, string>> = {
  before: 'before the first archived event',
  closed: 'closed: all of it is archived',
  open: 'open: not known to be complete yet',
  reopened: 'reopened: late events came, and are being closed',
  holed: 'chunks are missing',
  running: 'running',
};

const WHY: Readonly<Record<HourWait['why'], string>> = {
  awaited: 'is awaited',
  behind: 'is behind',
  silent: 'is silent',
  stopped: 'stopped, and may come back',
  missing: 'sealed chunks that are not archived',
  unmarked: 'has not said how far it has read',
  late: 'sent late events',
};

interface HoursProps {
  readonly past: Past;
  readonly isReading: boolean;
  readonly names: ReadonlyMap<string, string | null>;
  /** What the page can do with an hour. */
  readonly actions: (hour: HourBar) => JSX.Element;
}

export function Hours({ past, isReading, names, actions }: HoursProps) {
  const { hours, shortened, at } = past;
  const [chosen, setChosen] = useState<number | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const held = hours.some(({ events, waits }) => events > 0 || waits.length > 0);
  useEffect(() => {
    // The present is at the right.
    if (list.current) list.current.scrollLeft = list.current.scrollWidth;
  }, [held, hours.length]);
  if (!held)
    return (
      <Panel id="hours" title="Hours">
        <Empty>
          {isReading
            ? 'The archive is being read.'
            : 'No hour has events yet. The first batch of the consumer makes one.'}
        </Empty>
      </Panel>
    );
  const most = Math.max(1, ...hours.map(({ events }) => events));
  const current = hours.find(({ hour }) => hour === chosen) ?? hours.at(-1)!;
  const move = (event: KeyboardEvent): void => {
    const at = hours.indexOf(current);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: hours.length - 1 }[event.key];
    const next = to === undefined ? undefined : hours[Math.max(0, Math.min(hours.length - 1, to))];
    if (!next) return;
    event.preventDefault();
    setChosen(next.hour);
    list.current?.querySelector<HTMLElement>(`[data-hour="${next.hour}"]`)?.focus();
  };
  return (
    <Panel
      id="hours"
      title="Hours"
      aside="events by their own time, UTC; an hour closes when every producer has read past it"
    >
      <div
        class="hours"
        role="listbox"
        aria-label="Hours"
        aria-orientation="horizontal"
        ref={list}
        onKeyDown={move}
      >
        {hours.map((hour) => (
          <Bar
            key={hour.hour}
            hour={hour}
            most={most}
            isChosen={hour === current}
            choose={() => setChosen(hour.hour)}
          />
        ))}
      </div>
      <ul class="legend" aria-label="Legend">
        {(['closed', 'open', 'reopened', 'holed', 'running'] as const).map((state) => (
          <li key={state}>
            <span class={`swatch ${state}`} /> {state === 'holed' ? 'chunks missing' : state}
          </li>
        ))}
      </ul>
      {shortened === null ? null : <p class="aside">{shortened}</p>}
      <Detail hour={current} names={names} at={at} actions={actions} />
    </Panel>
  );
}

interface BarProps {
  readonly hour: HourBar;
  readonly most: number;
  readonly isChosen: boolean;
  readonly choose: () => void;
}

function Bar({ hour, most, isChosen, choose }: BarProps) {
  const { state, events } = hour;
  const text = hourText(hour.hour);
  const clock = text.slice(11, 13);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list moves by keys
    <div
      role="option"
      aria-selected={isChosen}
      aria-label={`${text}, ${STATES[state]}, ${count(events)} events`}
      tabIndex={isChosen ? 0 : -1}
      data-hour={hour.hour}
      class={`bar ${state}`}
      onClick={choose}
    >
      <div class="room">
        <div class="fill" style={{ height: `${events === 0 ? 0 : Math.max(2, (100 * events) / most)}%` }} />
      </div>
      <div class="state" />
      <div class="label">{clock === '00' ? text.slice(5, 10) : Number(clock) % 6 === 0 ? clock : ''}</div>
    </div>
  );
}

interface DetailProps {
  readonly hour: HourBar;
  readonly names: HoursProps['names'];
  readonly at: number;
  readonly actions: HoursProps['actions'];
}

function Detail({ hour, names, at, actions }: DetailProps) {
  const { state, events, objects, bytes: size, late, waits, moreWaits, without } = hour;
  return (
    <div class="detail" aria-live="polite">
      <p>
        <strong>{hourText(hour.hour)}</strong> {STATES[state]} · {count(events)} events in {count(objects)}{' '}
        objects, {bytes(size)}
        {late > 0 ? ` · ${count(late)} chunks came late` : ''}
        {without > 0 ? ` · not waited for: ${count(without)}, silent for long or declared gone` : ''}
      </p>
      {waits.length > 0 && state !== 'running' ? (
        <ul>
          {waits.map((wait) => (
            <li key={`${wait.producer} ${wait.why}`}>{waitText(wait, names, at)}</li>
          ))}
          {moreWaits > 0 ? <li>and {count(moreWaits)} other producers</li> : null}
        </ul>
      ) : null}
      {events > 0 ? actions(hour) : null}
    </div>
  );
}

function waitText(
  { producer, why, since, missing }: HourWait,
  names: HoursProps['names'],
  at: number,
): string {
  const name = producerName(names.get(producer) ?? null, producer);
  const what =
    why === 'missing' && missing !== null
      ? `sealed ${count(missing)} or more chunks that are not archived`
      : WHY[why];
  return `${name} ${what}${since === null ? '' : `, read up to ${age(Math.max(0, at - since))} ago`}`;
}

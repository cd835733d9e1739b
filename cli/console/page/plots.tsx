/** The last hours in minutes: archived events a second, and how long records waited to be archived. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Past } from '../api.ts';
import { short } from './format.ts';
import { Panel } from './parts.tsx';
import 'uplot/dist/uPlot.min.css';

const HEIGHT = 150;
const LEAST_MINUTES = 30;

export function Plots({ past }: { past: Past }) {
  const { from, events, delay } = past.minutes;
  // A young archive is shown from its beginning.
  const begins = events.findIndex((value, i) => value !== null || delay[i] !== null);
  const first = Math.max(0, Math.min(begins - 1, events.length - LEAST_MINUTES));
  const times = events.map((_, i) => from / 1000 + i * 60).slice(first);
  return (
    <Panel id="rates" title="Rates" aside="by the minute in which records reached the stream, UTC">
      <div class="plots">
        <Plot title="Archived events a second" unit="/s" times={times} values={events.slice(first)} />
        <Plot title="Seconds from arrival to archive" unit=" s" times={times} values={delay.slice(first)} />
      </div>
    </Panel>
  );
}

interface PlotProps {
  readonly title: string;
  readonly unit: string;
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
}

function Plot({ title, unit, times, values }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data: uPlot.AlignedData = [[...times], [...values]];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = place.current!;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, unit), latest.current, element);
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    resized.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [unit]);
  useEffect(() => plot.current?.setData(data));
  return (
    <figure>
      <figcaption>
        {title} <span class="aside">{summaryOf(values, unit)}</span>
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={`${title}: ${summaryOf(values, unit)}`} />
    </figure>
  );
}

function summaryOf(values: readonly (number | null)[], unit: string): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return 'nothing yet';
  return `newest ${short(known.at(-1)!)}${unit}, highest ${short(Math.max(...known))}${unit}`;
}

function optionsOf(element: HTMLElement, unit: string): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--mute'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    legend: { show: false },
    cursor: { y: false, points: { size: 5 } },
    axes: [
      { ...axis, size: 26, values: '{HH}:{mm}' },
      { ...axis, size: 52, values: (_, values) => values.map((value) => `${short(value)}${unit}`) },
    ],
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    series: [{}, { stroke: colour('--accent'), width: 1.5, fill: colour('--wash'), points: { show: false } }],
  };
}

/** Hours of an archive as text: what each has, and what keeps it open. */
import type { HourReport, Wait, Why } from '../archive/hours/judge.ts';
import { age, count, hour as hourText, plain, bytes as size } from '../base/human.ts';

/** Enough of a producer's id to tell it from others, and to find it. */
const ID_DIGITS = 12;
const SHOWN_WAITS = 5;

const REASONS: Readonly<Record<Why, (wait: Wait, now: number) => string>> = {
  awaited: ({ since }, now) =>
    `is awaited${since === null ? '' : `, has read up to ${timeText(since)}`}${agoText(since, now)}`,
  behind: ({ since }, now) =>
    since === null
      ? 'has not yet read its files to the end'
      : `is behind: has read up to ${timeText(since)}${agoText(since, now)}`,
  silent: ({ since }, now) => `is silent since ${timeText(since!)}${agoText(since, now)}`,
  stopped: ({ since }, now) => `stopped at ${timeText(since!)}${agoText(since, now)} and may come back`,
  missing: ({ missing, lanes, since }) =>
    `sealed ${missing === undefined ? 'chunks' : `${count(missing)} or more chunks`} that are not archived${since === null ? '' : `, after ${timeText(since)}`}${lanes ? `; lane ${lanes.join(', ')}` : ''}`,
  unmarked: () => 'has not said how far it has read: its agent has just started, or needs an upgrade',
  late: () => 'sent late events: its next watermark closes the hour once more',
};

/** Hours without events are one line: before its first event an archive has nothing else. */
export function reportTexts(reports: readonly HourReport[], now: number): string[] {
  const texts: string[] = [];
  for (let i = 0; i < reports.length; ) {
    let end = i;
    while (end < reports.length && isEmpty(reports[end]!)) end++;
    if (end - i > 2) {
      const [first, last] = [reports[i]!, reports[end - 1]!];
      texts.push(`${hourText(first.hour)} to ${hourText(last.hour)}  closed, no events\n`);
      i = end;
    } else texts.push(reportText(reports[i++]!, now));
  }
  return texts;
}

function isEmpty({ state, events, late, waits }: HourReport): boolean {
  return state === 'closed' && events === 0 && late.chunks === 0 && waits.length === 0;
}

function reportText(report: HourReport, now: number): string {
  const { hour, state, events, objects, bytes, late, waits } = report;
  const lateText = late.chunks === 0 ? '' : `  ${count(late.chunks)} chunks came late`;
  const counts = `${count(events).padStart(13)} events ${count(objects).padStart(6)} objects ${size(bytes).padStart(10)}`;
  const lines = [`${hourText(hour)}  ${state.padEnd(8)} ${counts}${lateText}\n`];
  for (const wait of waits.slice(0, SHOWN_WAITS))
    lines.push(`    ${plain(wait.producer.slice(0, ID_DIGITS))} ${REASONS[wait.why](wait, now)}\n`);
  if (waits.length > SHOWN_WAITS)
    lines.push(`    and ${count(waits.length - SHOWN_WAITS)} other producers\n`);
  return lines.join('');
}

/** Which producers no hour was kept open for. */
export function footer(reports: readonly HourReport[]): string {
  const without = new Set(reports.flatMap((report) => report.without));
  if (without.size === 0) return '';
  const ids = [...without].map((id) => id.slice(0, ID_DIGITS));
  return `not waited for, silent for long or declared gone: ${ids.slice(0, SHOWN_WAITS).join(', ')}${ids.length > SHOWN_WAITS ? ` and ${count(ids.length - SHOWN_WAITS)} others` : ''}\n`;
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function agoText(since: number | null, now: number): string {
  return since === null ? '' : ` (${age(Math.max(0, now - since))} ago)`;
}

/** What `tailrace hours` prints. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HourReport } from '../../../archive/hours/judge.ts';
import { reportTexts } from '../../../cli/hours-text.ts';

const MIDNIGHT = Date.parse('2026-11-28T00:00Z') / 3_600_000;

function report(hour: number, changes: Partial<HourReport> = {}): HourReport {
  const late = { chunks: 0, producers: [] };
  const nothing = { waits: [], without: [], events: 0, objects: 0, bytes: 0, late };
  return { hour: MIDNIGHT + hour, state: 'closed', ...nothing, ...changes };
}

test('closed hours without events are one line, and nothing else is left out', () => {
  const reports = [
    report(0),
    report(1),
    report(2),
    report(3, { events: 7, objects: 1, bytes: 512 }),
    report(4),
    report(5),
    report(6, { late: { chunks: 1, producers: ['a'] } }),
    report(7, { state: 'open', waits: [{ producer: 'abcdef', why: 'unmarked', since: null }] }),
  ];
  assert.deepEqual(
    reportTexts(reports, 0).map((text) => text.replaceAll(/ +/g, ' ')),
    [
      '2026-11-28T00Z to 2026-11-28T02Z closed, no events\n',
      '2026-11-28T03Z closed 7 events 1 objects 512 B\n',
      '2026-11-28T04Z closed 0 events 0 objects 0 B\n',
      '2026-11-28T05Z closed 0 events 0 objects 0 B\n',
      '2026-11-28T06Z closed 0 events 0 objects 0 B 1 chunks came late\n',
      '2026-11-28T07Z open 0 events 0 objects 0 B\n abcdef has not said how far it has read: its agent has just started, or needs an upgrade\n',
    ],
  );
});

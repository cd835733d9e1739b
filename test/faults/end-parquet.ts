/** The end of compaction: all that is closed, and then all that is over, is Parquet, and its rows are the events. */
import { DEFAULT_KEY_TEMPLATE, dateAndHour } from '../../archive/commit-keys.ts';
import { ParquetMaker } from '../../archive/compact/parquet.ts';
import { verifyCompactions } from '../../archive/compact/verify.ts';
import { judgeHours } from '../../archive/hours/judge.ts';
import { DEFAULT_HOURS_POLICY } from '../../archive/hours/policy.ts';
import { readFacts } from '../../archive/hours/read.ts';
import type { CompactionCounts } from './compaction.ts';
import { countParquet, type ParquetVerdict } from './parquet.ts';
import type { Timeline } from './timeline.ts';
import type { World } from './world.ts';

const HOUR_MS = 3_600_000;
/** Hours that ended so long ago are compacted in the end, whatever keeps them open. */
const OVER_MS = HOUR_MS;
const PARQUET_MEMORY = '512MiB';

export interface ParquetEnd extends CompactionCounts {
  readonly closed: number;
  readonly open: number;
  readonly verdict: ParquetVerdict;
}

export async function checkParquet(
  world: World,
  timeline: Timeline,
  log: (message: string) => void,
): Promise<ParquetEnd> {
  const { archive, compaction, firstHour } = world;
  log('compacting what is closed');
  const range = [firstHour, Math.floor(Date.now() / HOUR_MS)] as const;
  const code = await compaction.finish();
  if (code !== 0) timeline.violation(`the last compaction ended with ${code}`);
  const gone = new Set(world.strangers.producers);
  const policy = { ...DEFAULT_HOURS_POLICY, now: Date.now(), isGone: (id: string) => gone.has(id) };
  const reports = judgeHours(await readFacts(archive, '', range), policy, range);
  const withEvents = reports.filter(({ events }) => events > 0);
  const closed = withEvents.filter(({ state }) => state === 'closed');
  for (const { hour, waits } of withEvents.filter(({ state }) => state !== 'closed'))
    timeline.note(`${dateAndHour(hour).join('T')} is open: ${JSON.stringify(waits)}`);
  const after = await countParquet(archive, world.folder);
  for (const { hour } of closed)
    if (after.without.includes(partition(hour)))
      timeline.violation(`${partition(hour)} is closed and no Parquet`);

  const last = await compaction.finish('--open-after', `${OVER_MS / HOUR_MS}h`);
  if (last !== 0) timeline.violation(`the compaction of open hours ended with ${last}`);
  log('counting the rows of Parquet');
  const verdict = await countParquet(archive, world.folder);
  for (const what of ['lost', 'repeated', 'invented'] as const)
    if (verdict[what] > 0)
      timeline.violation(`Parquet: ${verdict[what]} events ${what}: ${verdict.examples.join(', ')}`);
  for (const { hour } of withEvents)
    if (Date.now() - (hour + 1) * HOUR_MS > 2 * OVER_MS && verdict.without.includes(partition(hour)))
      timeline.violation(`${partition(hour)} is over and no Parquet`);
  await agree(world, verdict, range, timeline);
  return { ...compaction.counts, closed: closed.length, open: withEvents.length - closed.length, verdict };
}

/** `tailrace verify --parquet --deep` must say what was counted. */
async function agree(
  { archive, folder }: World,
  { hours, objects, rows, events }: ParquetVerdict,
  range: readonly [number, number],
  timeline: Timeline,
): Promise<void> {
  const maker = await ParquetMaker.open({ store: archive, folder, memory: PARQUET_MEMORY }, new Map());
  try {
    const report = await verifyCompactions({
      archive: { store: archive, prefix: '', keyTemplate: DEFAULT_KEY_TEMPLATE },
      hours: range,
      rowsOf: (key) => maker.rowsOf(key),
      differing: (table) => maker.differing(table),
    });
    for (const problem of report.problems) timeline.violation(`verify --parquet: ${problem}`);
    const said = [report.hours, report.objects, report.rows, report.events + report.late];
    if (String(said) !== String([hours, objects, rows, events]))
      timeline.violation(`verify --parquet counts ${said}, there are ${[hours, objects, rows, events]}`);
  } finally {
    maker.close();
  }
}

function partition(hour: number): string {
  const [dt, of] = dateAndHour(hour);
  return `dt=${dt}/hour=${of}`;
}

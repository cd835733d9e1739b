/** The end of a run: everything is flushed, archived and stopped in order, and then counted. */

import type { VerifyReport } from '../../archive/verify/report.ts';
import { verifyArchive } from '../../archive/verify/verify.ts';
import { checkParquet, type ParquetEnd } from './end-parquet.ts';
import type { MemoryTrend } from './memory.ts';
import type { Oracle, Verdict } from './oracle.ts';
import type { Timeline } from './timeline.ts';
import { until } from './wait.ts';
import type { World } from './world.ts';

const ARCHIVED_MS = 300_000;
const FLUSH = '3m';
/** `tailrace flush` and an agent's end: something is left, such as what is in quarantine. */
const SOMETHING_LEFT = 3;

export interface End {
  readonly verdict: Verdict;
  readonly verify: Pick<
    VerifyReport,
    'chunks' | 'events' | 'objects' | 'commits' | 'missing' | 'duplicatesSkipped' | 'unproven' | 'damaged'
  >;
  readonly memory: readonly MemoryTrend[];
  readonly parquet: ParquetEnd;
}

export async function checkEnd(
  world: World,
  oracle: Oracle,
  timeline: Timeline,
  log: (message: string) => void,
): Promise<End> {
  log('no more faults: everything is flushed and archived');
  await Promise.all(world.sources.map((source) => source.stop()));
  await world.archivers.allRead();
  const destroyed = new Set(world.agents.flatMap((agent) => [...agent.destroyed]));
  const destroyedChunks = new Set(world.agents.flatMap((agent) => [...agent.destroyedChunks]));
  const memory = world.memory.stop();
  await Promise.all(
    world.agents.map(async (agent) => {
      // What was destroyed stays in quarantine, and keeps a flush from calling itself complete.
      const wanted = await endCodes(agent);
      const flushed = await agent.flush(FLUSH);
      if (!wanted.includes(flushed))
        timeline.violation(`${agent.name}: the last flush ended with ${flushed}`);
      const ended = await agent.stop();
      if (!wanted.includes(Number(ended))) timeline.violation(`${agent.name} ended with ${ended}`);
    }),
  );

  const { promised } = world;
  const { lies, kept } = world.strangers;
  let verdict = oracle.compare(promised, destroyed, kept);
  await until('every promised event is archived', ARCHIVED_MS, async () => {
    await oracle.read(world.archive);
    verdict = oracle.compare(promised, destroyed, kept);
    return verdict.lost === 0;
  }).catch((error: Error) => timeline.violation(error.message));
  for (const code of await world.archivers.stop()) {
    if (code !== 0) timeline.violation(`a worker that was stopped in order ended with ${code}`);
  }
  await oracle.read(world.archive);
  verdict = oracle.compare(promised, destroyed, kept);
  for (const what of ['lost', 'repeated', 'invented'] as const) {
    if (verdict[what] > 0)
      timeline.violation(`${verdict[what]} events ${what}: ${verdict.examples.join(', ')}`);
  }

  const report = await verifyArchive(world.archive, '', { now: Date.now(), pendingFor: 0, deep: true });
  checkVerify(report, oracle.events, new Set([...destroyedChunks, ...lies]), timeline);
  checkLies(report, world.strangers, timeline);
  const { chunks, events, objects, commits, missing, duplicatesSkipped, unproven, damaged } = report;
  const verify = { chunks, events, objects, commits, missing, duplicatesSkipped, unproven, damaged };
  const parquet = await checkParquet(world, timeline, log);
  return { verdict, verify, memory, parquet };
}

async function endCodes(agent: World['agents'][number]): Promise<readonly number[]> {
  const status = await agent.status();
  const quarantined = 'spool' in status ? status.spool.quarantined : 0;
  return quarantined > 0 ? [SOMETHING_LEFT] : [0];
}

/** What verify says must be what was counted, no more and no less. */
function checkVerify(
  report: VerifyReport,
  events: number,
  missing: ReadonlySet<string>,
  timeline: Timeline,
): void {
  if (report.events !== events)
    timeline.violation(`verify counts ${report.events} events, the objects have ${events}`);
  for (const problem of report.problems) timeline.violation(`verify: ${problem}`);
  for (const { lane, sequences } of report.repeats)
    timeline.violation(`verify: ${lane}/${sequences} is there twice`);
  for (const key of report.unfinished) timeline.violation(`verify: ${key} has no data`);
  let named = 0;
  for (const { producer, epochs } of report.producers) {
    for (const { epoch, holes, unlocated } of epochs) {
      for (const hole of holes) {
        for (const sequence of sequences(hole.missing)) {
          if (missing.has(`${hole.lane}/${sequence}`)) named++;
          else timeline.violation(`verify names a hole that nobody made: ${hole.lane}/${sequence}`);
        }
      }
      // The last chunks of a lane leave no gap: verify knows of them by their ordinals alone.
      named += unlocated;
      if (unlocated > missing.size)
        timeline.violation(`verify misses ${unlocated} chunks of ${producer}/${epoch}`);
    }
  }
  if (named !== report.missing)
    timeline.violation(`verify misses ${report.missing} chunks and names ${named}`);
}

/** What is not what it says is missing in its lane, and is among the foreign records. */
function checkLies(
  { producers, damaged }: VerifyReport,
  { lies, liars }: World['strangers'],
  timeline: Timeline,
): void {
  if (damaged !== lies.size)
    timeline.violation(`verify counts ${damaged} damaged chunks, ${lies.size} were put`);
  const missing = producers
    .filter(({ producer }) => liars.includes(producer))
    .flatMap(({ epochs }) => epochs)
    .flatMap(({ holes, unlocated }) => [unlocated, ...holes.map(({ count }) => count)])
    .reduce((sum, count) => sum + count, 0);
  if (missing !== lies.size)
    timeline.violation(`verify misses ${missing} chunks of liars, ${lies.size} were put`);
}

function* sequences(runs: string): Generator<number> {
  for (const run of runs.split(',')) {
    const [first, last] = run.split('-').map(Number);
    for (let n = first!; n <= (last ?? first!); n++) yield n;
  }
}

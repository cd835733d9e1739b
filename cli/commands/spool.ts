/** `tailrace spool`: lists what a spool holds, whether its agent is running or dead. */
import { join } from 'node:path';
import { Command } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { bytes, count, hour, plain, plainLines } from '../../base/human.ts';
import { systemReason } from '../../base/system-error.ts';
import { inspectSpool, type SpoolReport } from '../../producer/spool/inspect.ts';
import { configOption, stateOption } from '../options.ts';
import { stateDirectory } from '../state-directory.ts';

export function command(): Command {
  return new Command('spool')
    .description(
      'List the segments of a spool, their chunks by tag and hour, and any damage. Changes nothing.',
    )
    .addOption(stateOption())
    .addOption(configOption('agent.yaml, to find the state directory'))
    .option('--json', 'print everything, chunk headers and state included, as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 intact, 1 something is damaged or in quarantine, 2 no spool there.',
    )
    .action(run);
}

function run({ json, ...where }: { state?: string; config?: string; json?: true }): void {
  const report = read(join(stateDirectory(where), 'spool'));
  process.stdout.write(plainLines(json ? `${JSON.stringify(report, null, 2)}\n` : describe(report)));
  const damaged = report.segments.some((segment) => segment.damaged.length > 0);
  if (damaged || report.quarantine.length > 0) process.exitCode = 1;
}

function read(directory: string): SpoolReport {
  try {
    return inspectSpool(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new TailraceError(
      'CONFIG',
      `cannot read the spool of an agent in ${directory} (${systemReason(error)}): name its state directory with --state`,
    );
  }
}

function describe({ segments, quarantine, state }: SpoolReport): string {
  const lines: string[] = [];
  for (const { name, bytes: size, cuts, chunks, damaged, lostChunks, tornBytes } of segments) {
    lines.push(`${name}  ${bytes(size)}, ${count(cuts)} cuts, ${count(chunks.length)} chunks`);
    const groups = new Map<string, { chunks: number; events: number; bytes: number }>();
    for (const header of chunks) {
      const name = `${hour(header.hour)}  ${plain(header.tag)}`;
      const group = groups.get(name) ?? { chunks: 0, events: 0, bytes: 0 };
      group.chunks++;
      group.events += header.events;
      group.bytes += header.bytes;
      groups.set(name, group);
    }
    for (const [name, group] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(
        `    ${name}: ${count(group.events)} events in ${count(group.chunks)} chunks, ${bytes(group.bytes)}`,
      );
    }
    for (const { offset, end } of damaged) lines.push(`    damaged: bytes ${offset} to ${end}`);
    if (lostChunks > 0) lines.push(`    ${count(lostChunks)} chunks can no longer be read`);
    if (tornBytes > 0)
      lines.push(`    a cut of ${bytes(tornBytes)} at the end was never finished; its lines will be reread`);
  }
  const chunks = segments.flatMap((segment) => segment.chunks);
  const events = chunks.reduce((sum, header) => sum + header.events, 0);
  lines.push(
    `${count(segments.length)} segments, ${count(chunks.length)} chunks, ${count(events)} events; acknowledged chunks are removed with their segment`,
  );
  for (const { name, bytes: size } of quarantine) lines.push(`quarantine: ${plain(name)}, ${bytes(size)}`);
  for (const [section, values] of Object.entries(state))
    lines.push(`state of ${plain(section)}: ${count(Object.keys(values).length)} entries`);
  return `${lines.join('\n')}\n`;
}

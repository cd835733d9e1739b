/** `tailrace agent --check`: what an agent with this configuration would read, and whether its stream can be reached. */

import { TailraceError } from '../base/errors.ts';
import { bytes, count, plain, plainLines } from '../base/human.ts';
import type { AgentConfig } from '../producer/config.ts';
import { inputName } from '../producer/input.ts';
import type { TakeOver } from '../producer/predecessor/options.ts';
import { readCursor, readPositions } from '../producer/predecessor/positions.ts';
import { checkStream } from '../producer/sender/stream.ts';
import type { TailOptions } from '../producer/tail/options.ts';
import { sampleTail } from '../producer/tail/sample.ts';
import { sampleFit } from '../producer/tail/sample-fit.ts';
import { stateVolumeFault } from '../producer/volume.ts';

/** The most files listed per input. */
const SHOWN_FILES = 20;

/**
 * Says what is wrong with an input's format at the end of a file, and which preset the lines look like.
 *
 * @returns whether the format matches most lines
 */
function sayFit(path: string, options: TailOptions, say: (line: string) => void): boolean {
  const { events, unparsed, looksLike, timeless, timeKey } = sampleFit(path, options);
  if (2 * timeless >= events && timeless > 0) {
    say(
      `  ! ${count(timeless)} of the last ${count(events)} events of ${plain(path)} have no time: they go under the hour of their arrival`,
    );
    if (timeKey !== null)
      say(`    ${plain(timeKey)} seems to hold it: give the format time_key: ${JSON.stringify(timeKey)}`);
  }
  if (unparsed === 0 || 2 * unparsed < events) return true;
  say(`  ! ${count(unparsed)} of the last ${count(events)} lines of ${plain(path)} do not match the format`);
  if (looksLike !== null) {
    const { name, format } = looksLike;
    say(
      `    these lines look like: ${name} (format: ${typeof format === 'string' ? format : JSON.stringify(format)})`,
    );
  } else {
    say("    no preset takes these lines: give the server's own log_format, a grok pattern or a regexp");
  }
  return false;
}

/** Says whether the first start can go on where another agent has stopped. */
async function sayTakeOver(
  from: TakeOver,
  read: (from: TakeOver) => Promise<string | readonly unknown[] | null>,
  say: (line: string) => void,
): Promise<void> {
  const { agent, file } = from;
  try {
    const found = await read(from);
    if (found === null)
      say(`  ! ${agent} has left nothing in ${plain(file)} yet: a first start begins as read_from_head says`);
    else if (typeof found === 'string')
      say(`  a first start goes on behind the cursor of ${agent} in ${plain(file)}`);
    else
      say(
        `  a first start goes on where ${agent} has stopped: ${count(found.length)} ${found.length === 1 ? 'position' : 'positions'} in ${plain(file)}`,
      );
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    say(`  ! ${plain(error.message)}`);
    process.exitCode = 2;
  }
}

/**
 * Prints the findings; the exit code is 2 when the stream cannot be reached, a file cannot be read, or a format does
 * not match the lines of a file.
 */
export async function checkAgent(config: AgentConfig): Promise<void> {
  const say = (line: string): void => {
    process.stdout.write(`${plainLines(line)}\n`);
  };
  for (const options of config.inputs) {
    if (options.type === 'forward') {
      say(`forward: listens on ${plain([options.listen].flat().join(', '))}`);
      continue;
    }
    if (options.type === 'journald') {
      say(`${plain(inputName(options))}: reads the journal → ${plain(options.tag)}`);
      if (options.take_over !== undefined)
        await sayTakeOver(options.take_over, async (from) => readCursor(from), say);
      continue;
    }
    const { files, history, events, refused, unparsed } = sampleTail(options);
    say(
      `tail ${plain([options.path].flat().join(', '))}: ${count(files.length)} ${files.length === 1 ? 'file' : 'files'}`,
    );
    if (options.take_over !== undefined)
      await sayTakeOver(options.take_over, async (from) => (await readPositions(from))?.list ?? null, say);
    if (files.length === 0)
      say('  ! no file matches yet; a file that appears later is read from its first byte');
    for (const { path, tag, bytes: size, error } of files.slice(0, SHOWN_FILES)) {
      say(`  ${plain(path)} → ${plain(tag)}: ${error ?? bytes(size ?? 0)}`);
      if (error !== null) process.exitCode = 2;
    }
    if (files.length > SHOWN_FILES) say(`  and ${count(files.length - SHOWN_FILES)} more`);
    for (const file of history.slice(0, SHOWN_FILES))
      say(`  ${plain(file)}: history, passed over by a first start`);
    if (history.length > SHOWN_FILES)
      say(`  and ${count(history.length - SHOWN_FILES)} more files of history`);
    for (const { folder, code } of refused) {
      say(`  ! ${plain(folder)} cannot be read (${code})`);
      process.exitCode = 2;
    }
    for (const { json } of events) say(`  ${plain(json)}`);
    if (unparsed > 0)
      say(`  ! ${count(unparsed)} of these lines do not match the format; they would be kept as text`);
    for (const { path, error } of files.slice(0, SHOWN_FILES)) {
      if (error === null && !sayFit(path, options, say)) process.exitCode = 2;
    }
  }
  const fault = stateVolumeFault(config.state_dir);
  if (fault !== null) say(`! ${fault}`);
  const trouble = await checkStream(config.stream);
  if (trouble === null) {
    say(`stream ${plain(config.stream.name)} is reachable`);
  } else {
    say(`! ${plain(trouble)}`);
    process.exitCode = 2;
  }
}

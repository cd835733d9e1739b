/** `tailrace agent --check`: what an agent with this configuration would read, and whether its stream can be reached. */

import { bytes, count, plain, plainLines } from '../base/human.ts';
import type { AgentConfig } from '../producer/config.ts';
import { checkStream } from '../producer/sender/stream.ts';
import { sampleTail } from '../producer/tail/sample.ts';

/** The most files listed per input. */
const SHOWN_FILES = 20;

/** Prints the findings; the exit code is 2 when the stream cannot be reached or a file cannot be read. */
export async function checkAgent(config: AgentConfig): Promise<void> {
  const say = (line: string): void => {
    process.stdout.write(`${plainLines(line)}\n`);
  };
  for (const options of config.inputs) {
    if (options.type === 'forward') {
      say(`forward: listens on ${plain([options.listen].flat().join(', '))}`);
      continue;
    }
    const { files, events, refused, unparsed } = sampleTail(options);
    say(
      `tail ${plain([options.path].flat().join(', '))}: ${count(files.length)} ${files.length === 1 ? 'file' : 'files'}`,
    );
    if (files.length === 0)
      say('  ! no file matches yet; a file that appears later is read from its first byte');
    for (const { path, tag, bytes: size, error } of files.slice(0, SHOWN_FILES)) {
      say(`  ${plain(path)} → ${plain(tag)}: ${error ?? bytes(size ?? 0)}`);
      if (error !== null) process.exitCode = 2;
    }
    if (files.length > SHOWN_FILES) say(`  and ${count(files.length - SHOWN_FILES)} more`);
    for (const { folder, code } of refused) {
      say(`  ! ${plain(folder)} cannot be read (${code})`);
      process.exitCode = 2;
    }
    for (const { json } of events) say(`  ${plain(json)}`);
    if (unparsed > 0)
      say(`  ! ${count(unparsed)} of these lines do not match the format; they would be kept as text`);
  }
  const trouble = await checkStream(config.stream);
  if (trouble === null) {
    say(`stream ${plain(config.stream.name)} is reachable`);
  } else {
    say(`! ${plain(trouble)}`);
    process.exitCode = 2;
  }
}

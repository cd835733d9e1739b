/**
 * Hands the state of inputs over to those that the configuration has in their place. An input's section of the state has
 * its name, which comes of its paths, units or addresses unless it has an id: when these change, what it had read and
 * promised goes on under the new name.
 */
import type { Logger } from 'pino';
import type { AgentConfig } from './config.ts';
import { handOverMessages } from './forward/hand-over.ts';
import { inputName } from './input.ts';
import { handOverCursors } from './journald/hand-over.ts';
import type { StateMap } from './state.ts';
import { coverage } from './tail/glob.ts';
import { handOverLogs } from './tail/hand-over.ts';

type Options = AgentConfig['inputs'][number];

/** Changes the sections, by name: those of the configured inputs and all that earlier runs left. */
export function handOver(
  inputs: readonly Options[],
  sections: ReadonlyMap<string, StateMap>,
  log: Logger,
): void {
  const configured = new Map(inputs.map((options) => [inputName(options), options]));
  const of = <T extends Options['type']>(type: T) =>
    [...sections]
      .filter(([name]) => name.startsWith(`${type}:`))
      .map(([name, state]) => {
        const options = configured.get(name) as Extract<Options, { type: T }> | undefined;
        return { name, state, options };
      });
  const tail = of('tail').map(({ options, ...section }) => ({
    ...section,
    covers: options ? coverage(options.path, options.exclude_path) : null,
  }));
  for (const { from, to, logs } of handOverLogs(tail))
    log.info(
      { from, to, logs: logs.length },
      'another input goes on with logs, where the former one stopped',
    );
  const journald = of('journald').map(({ options, ...section }) => ({
    ...section,
    selects: options ? [...(options.units ?? []), ...(options.matches ?? [])] : null,
  }));
  for (const { from, to } of handOverCursors(journald))
    log.info({ from, to }, 'another input goes on with the journal, where the former one stopped');
  const forward = of('forward').map(({ options, ...section }) => ({
    ...section,
    listen: options ? [options.listen].flat() : null,
  }));
  for (const { from, to, parts } of handOverMessages(forward)) {
    if (to !== null)
      log.info({ from, to, parts }, 'another input goes on with what the former one remembered');
    else
      log.warn(
        { from, parts },
        'unfinished lines of a former input stay in the state: configure a forward input to have them sent',
      );
  }
}

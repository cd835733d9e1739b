/** What a file in commands/ exports. */
import type { Command } from 'commander';

/** Builds the whole program, with the modules of those commands loaded that `isNeeded` names. */
export type BuildProgram = (isNeeded: (name: string) => boolean) => Promise<Command>;

export interface CommandModule {
  /** @param build for commands about the commands themselves */
  command(build: BuildProgram): Command;
}

/** Ends work that a pattern keeps in endless backtracking: a search in the console must not take the console with it. */
import { createContext, Script } from 'node:vm';
import { TailraceError } from '../../base/errors.ts';

/** What the lines of some hundred kilobytes may take; usual patterns need a hundredth of it. */
const MOST_MS = 3000;

const script = new Script('work()');
const context = createContext({ work: () => {} }) as { work: () => void };

/**
 * Runs the work, which V8 ends wherever it is when its time is over, inside a regular expression as well.
 *
 * @throws TailraceError CONFIG then
 */
export function withinTime<T>(work: () => T, ms = MOST_MS): T {
  let result: T;
  context.work = () => {
    result = work();
  };
  try {
    script.runInContext(context, { timeout: ms });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new TailraceError(
      'CONFIG',
      `the pattern needs more than ${ms / 1000} s for a few lines: write it without repetitions in repetitions, ` +
        'such as (a+)+ or (.*,)*, or as text (-F)',
      { cause: error },
    );
  } finally {
    context.work = () => {};
  }
  return result!;
}

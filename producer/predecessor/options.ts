/** The option `take_over`: where the agent that an input replaces has left its positions. */
import * as z from 'zod/mini';

export const takeOver = z.strictObject({
  agent: z.enum(['fluentd', 'fluent-bit', 'vector']),
  /** fluentd's `pos_file` or storage, Fluent Bit's `DB`, Vector's `checkpoints.json` or `checkpoint.txt`. */
  file: z.string().check(z.minLength(1)),
});

export type TakeOver = z.output<typeof takeOver>;

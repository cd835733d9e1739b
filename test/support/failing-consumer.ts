/** `tailrace consumer` whose shards are served by failing-child.ts; takes the same arguments. */
import * as path from 'node:path';
import { consumerCommand } from '../../cli/commands/consumer.ts';

const [, ...args] = process.argv.slice(2);
await consumerCommand(path.join(import.meta.dirname, 'failing-child.ts')).parseAsync(args, { from: 'user' });

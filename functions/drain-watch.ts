/** Called every minute: sends heartbeats, does what a lost event would have done, and gives up at the budget. */
import { EC2Client } from '@aws-sdk/client-ec2';
import { drainClients } from './drain/clients.ts';
import { WatchMemory } from './drain/memory.ts';
import { drainSettings, watchSettings } from './drain/settings.ts';
import { WatchPass } from './drain/watch.ts';
import { withLogging } from './runtime/handler.ts';
import { Measures } from './runtime/metrics.ts';

const clients = drainClients();
const ec2 = new EC2Client();
const memory = new WatchMemory();

export const handler = withLogging().handler(
  async (_event: unknown, context: { getRemainingTimeInMillis(): number }) => {
    const measures = new Measures();
    const pass = new WatchPass({
      clients,
      ec2,
      settings: drainSettings(),
      watched: watchSettings(),
      memory,
      measures,
      now: Date.now(),
      remaining: () => context.getRemainingTimeInMillis(),
    });
    try {
      await pass.run();
      // Its absence says that the watch does not do its work.
      if (pass.failures.length === 0) measures.add('WatchRuns');
    } finally {
      measures.write();
    }
    if (pass.failures.length > 0) throw pass.failures[0];
    return { outcomes: pass.outcomes };
  },
);

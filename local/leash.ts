/** Preloaded into children that are unaware of their parent: stops them cleanly when the parent is gone, for whatever reason. */
import process from 'node:process';

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// This watch must not keep a finished process alive.
process.channel?.unref();

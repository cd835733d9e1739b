/** Preloaded into children that know nothing of their parent: ends them in order when the parent is gone, however it went. */
import process from 'node:process';

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// Watching for that must not keep a process alive that has done its work.
process.channel?.unref();

/** The S3 process: the file-backed server on a loopback port. */
import { giveUp, listenOnLoopback, stopWithParent, tellReady, wantedPort } from '../service.ts';
import { createS3Server } from './server.ts';
import { Store } from './store.ts';

const folder = process.argv[2];
if (folder === undefined) {
  giveUp('usage: serve.ts FOLDER');
} else {
  const server = createS3Server(await Store.open(folder));
  tellReady(await listenOnLoopback(server, wantedPort()));
  stopWithParent(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        // Requests in progress may finish; idle connections are not waited for.
        setTimeout(() => server.closeAllConnections(), 500).unref();
      }),
  );
}

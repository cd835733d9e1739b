/** Entry of the set-up: the jars of the KCL daemon, and what makes it start fast. */

import { makeClassArchive } from './class-archive.ts';
import { javaVersion } from './daemon.ts';
import { ensureJars } from './jars.ts';

const JAVA = 'java';
const terminal = process.stderr.isTTY;
let shown = false;
try {
  const { classPath } = await ensureJars((done, total, how) => {
    if (terminal) process.stderr.write(`\r\x1b[KJava libraries from ${how}: ${done} of ${total}`);
    else if (!shown)
      process.stderr.write(`getting the Java libraries of the KCL daemon (32 MB) from ${how}\n`);
    shown = true;
  });
  if (shown && terminal) process.stderr.write('\n');
  await makeClassArchive(JAVA, javaVersion(JAVA), classPath, () =>
    process.stderr.write('preparing the KCL daemon for fast starts (once)\n'),
  );
} catch (error) {
  if (shown && terminal) process.stderr.write('\n');
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}

/** How many log files may be open at a time. */
import { readFileSync } from 'node:fs';

/** Descriptors that are left for sockets, the spool, folders and the short looks into files. */
const RESERVED = 256;
const SHARE = 0.7;
/** Where the system does not say. */
const USUAL = 1024;

/** Files that may stay open; Node has raised the process's limit to what the system grants. */
export function openFilesLimit(): number {
  let limit = USUAL;
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    if (found) limit = Number(found[1]);
  } catch {
    // No Linux.
  }
  return Math.max(16, Math.floor(Math.min(limit * SHARE, limit - RESERVED)));
}

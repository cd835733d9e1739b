/** The functions' log: lines of JSON on stdout, which Lambda carries to CloudWatch. */
import { pino } from 'pino';

// Synchronous: a function is frozen as soon as it has answered.
export const log = pino(
  { base: null, level: process.env['LOG_LEVEL'] ?? 'info' },
  pino.destination({ fd: 1, sync: true }),
);

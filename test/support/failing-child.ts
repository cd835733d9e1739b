/** The process that serves shards, with the failpoints that TAILRACE_FAULT names. */
import { serve } from '../../consumer/shard/serve.ts';
import { failpoints } from './failpoints.ts';

serve(failpoints(process.env['TAILRACE_FAULT']));

/** Entry of the process that serves shards. */
import { serve } from './serve.ts';

serve();

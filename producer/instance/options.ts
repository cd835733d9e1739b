/** The `instance` section of agent.yaml: what of the EC2 instance's metadata is watched. */
import * as z from 'zod/mini';
import { timerDuration } from '../../base/units.ts';

export const instanceOptions = z.strictObject({
  /** `auto`: watch when the metadata service answers at the start, as on EC2; off anywhere else. */
  watch: z._default(z.enum(['auto', 'on', 'off']), 'auto'),
  endpoint: z._default(z.url(), 'http://169.254.169.254'),
  interval: z._default(timerDuration, 5000),
  /** Flush when Auto Scaling is about to terminate the instance. */
  lifecycle: z._default(z.boolean(), true),
  /** Flush on the notice that a spot instance is interrupted. */
  spot: z._default(z.boolean(), true),
  /** Log the recommendation to rebalance; it is no order and nothing is flushed. */
  rebalance: z._default(z.boolean(), true),
});

export type InstanceOptions = z.output<typeof instanceOptions>;

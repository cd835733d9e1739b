/** The `instance` section of agent.yaml: which parts of the EC2 instance metadata to watch. */
import * as z from 'zod/mini';
import { timerDuration } from '../../base/units.ts';

export const instanceOptions = z.strictObject({
  /** `auto`: watch if the metadata service responds at startup, as on EC2; off anywhere else. */
  watch: z._default(z.enum(['auto', 'on', 'off']), 'auto'),
  /** The environment's default is the AWS SDKs' own variable. */
  endpoint: z._default(
    z.url(),
    () => process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT || 'http://169.254.169.254',
  ),
  interval: z._default(timerDuration, 5000),
  /** Flush when Auto Scaling is about to terminate the instance. */
  lifecycle: z._default(z.boolean(), true),
  /** Flush on a spot interruption notice. */
  spot: z._default(z.boolean(), true),
  /** Log the rebalance recommendation; it is only advice, so nothing is flushed. */
  rebalance: z._default(z.boolean(), true),
});

export type InstanceOptions = z.output<typeof instanceOptions>;

/** Which settings of the drain cannot work together: what CloudFormation's limits for single parameters do not catch. */

/** As the template's parameters have them. */
export interface DrainTimes {
  readonly heartbeatSeconds: number;
  readonly flushSeconds: number;
  readonly deliverySeconds: number;
  readonly budgetSeconds: number;
  readonly maxSends: number;
}

/** The watch runs every minute and may miss two of its passes before a wait must not have ended. */
export const LEAST_HEARTBEAT_SECONDS = 180;
/** Auto Scaling waits for two days at most. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html */
const LONGEST_WAIT_SECONDS = 172_800;
/** And for this many heartbeat timeouts. */
const HEARTBEATS_PER_WAIT = 100;

/** @returns what is wrong and what to set instead, or null */
export function settingsProblem(times: DrainTimes): string | null {
  const { heartbeatSeconds, flushSeconds, deliverySeconds, budgetSeconds, maxSends } = times;
  if (heartbeatSeconds < LEAST_HEARTBEAT_SECONDS || heartbeatSeconds > 7200) {
    return `heartbeatSeconds=${heartbeatSeconds}: set ${LEAST_HEARTBEAT_SECONDS} to 7200; the watch runs every minute and may miss two passes`;
  }
  if (deliverySeconds < 30 || deliverySeconds > LONGEST_WAIT_SECONDS) {
    return `deliverySeconds=${deliverySeconds}: set 30 to ${LONGEST_WAIT_SECONDS}`;
  }
  const wait = Math.min(LONGEST_WAIT_SECONDS, HEARTBEATS_PER_WAIT * heartbeatSeconds);
  if (budgetSeconds >= wait) {
    return `budgetSeconds=${budgetSeconds}: Auto Scaling ends the wait after ${wait} s (48 h, or 100 × heartbeatSeconds); set less, or raise heartbeatSeconds`;
  }
  const tries = maxSends * (deliverySeconds + flushSeconds);
  if (tries >= budgetSeconds) {
    return `budgetSeconds=${budgetSeconds}: maxSends × (deliverySeconds + flushSeconds) is ${tries} s; set more than that, or allow fewer or shorter flushes`;
  }
  return null;
}

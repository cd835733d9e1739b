/** The wait of an instance in Auto Scaling: prolonged, or completed. */
import {
  type AutoScalingClient,
  CompleteLifecycleActionCommand,
  RecordLifecycleActionHeartbeatCommand,
} from '@aws-sdk/client-auto-scaling';

/** Whose wait it is. With a token it is that lifecycle action and no other, without one whichever is active. */
export interface LifecycleAction {
  readonly instance: string;
  readonly group: string;
  readonly token: string | null;
}

/** @returns false when there is no such wait, or it is over */
export async function heartbeat(
  autoScaling: AutoScalingClient,
  hook: string,
  action: LifecycleAction,
): Promise<boolean> {
  return unlessSettled(() =>
    autoScaling.send(new RecordLifecycleActionHeartbeatCommand(inputOf(hook, action))),
  );
}

/** @returns false when there is no such wait, or it is over: somebody else had completed it */
export async function complete(
  autoScaling: AutoScalingClient,
  hook: string,
  action: LifecycleAction,
  result: 'CONTINUE' | 'ABANDON',
): Promise<boolean> {
  const input = { ...inputOf(hook, action), LifecycleActionResult: result };
  return unlessSettled(() => autoScaling.send(new CompleteLifecycleActionCommand(input)));
}

function inputOf(hook: string, { instance, group, token }: LifecycleAction) {
  return {
    AutoScalingGroupName: group,
    LifecycleHookName: hook,
    InstanceId: instance,
    ...(token === null ? {} : { LifecycleActionToken: token }),
  };
}

async function unlessSettled(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (isSettled(error)) return false;
    throw error;
  }
}

/** Auto Scaling has no error of its own for this, only a message. */
export function isSettled(error: unknown): boolean {
  const { name, message } = error as Error;
  return name === 'ValidationError' && /no active lifecycle action/i.test(message);
}

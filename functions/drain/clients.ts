/** The service clients of the drain functions; made once per container, when the function is loaded. */
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';

export interface DrainClients {
  readonly ssm: SSMClient;
  readonly autoScaling: AutoScalingClient;
  readonly sns: SNSClient;
}

export function drainClients(): DrainClients {
  return { ssm: new SSMClient(), autoScaling: new AutoScalingClient(), sns: new SNSClient() };
}

/** Whether EC2 has ended an instance already: a spot interruption waits for nobody. */
import { DescribeInstancesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { log } from '../runtime/log.ts';

const GONE = ['shutting-down', 'terminated'];

/** False also when EC2 cannot be asked: an instance that may be there is kept. */
export async function isGone(ec2: EC2Client, instance: string): Promise<boolean> {
  try {
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [instance] }));
    const [found] = Reservations.flatMap(({ Instances = [] }) => Instances);
    return found === undefined || GONE.includes(found.State?.Name ?? '');
  } catch (error) {
    if ((error as Error).name === 'InvalidInstanceID.NotFound') return true;
    log.warn({ instance, err: error }, 'EC2 cannot be asked about the instance');
    return false;
  }
}

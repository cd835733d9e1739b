/** The one mail about an instance that could not flush. */
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { FlushCommand, GiveUpReason } from './decision.ts';
import type { DrainSettings } from './settings.ts';
import type { Member } from './waits.ts';

const REASONS: Record<GiveUpReason, string> = {
  unmanaged: 'Systems Manager does not know the instance, so nothing could be run on it',
  budget: 'the flush did not end within its budget',
  failed: 'the flush failed as often as it is tried',
  blocked: 'no flush could be run on it within the budget',
};

export interface GivenUp {
  readonly reason: GiveUpReason;
  /** What the service said, where something was in the way. */
  readonly cause: string | null;
  readonly commands: readonly FlushCommand[];
  /** Whether the instance is kept, or let go because as many are kept as may be. */
  readonly kept: boolean;
}

export async function sendAlert(
  sns: SNSClient,
  settings: DrainSettings,
  member: Member,
  given: GivenUp,
): Promise<void> {
  const Subject = given.kept
    ? `tailrace: ${member.instance} was retained with unsent logs`
    : `tailrace: ${member.instance} was ended without a flush`;
  const Message = messageOf(settings, member, given);
  await sns.send(new PublishCommand({ TopicArn: settings.alertTopic, Subject, Message }));
}

function messageOf(
  { document, hook }: DrainSettings,
  { instance, group, state }: Member,
  { reason, cause, commands, kept }: GivenUp,
): string {
  const tries = commands.map(({ id, status }) => `  ${id}: ${status}`);
  const lines = [
    `Instance ${instance} of group ${group} (state ${state}) could not flush its logs: ${REASONS[reason]}.`,
    ...(cause === null ? [] : [`The last obstacle: ${cause}`]),
    kept
      ? 'It is retained and keeps its logs (state Terminating:Retained or Warmed:*:Retained); it is billed until you end it.'
      : 'As many instances are retained as may be (maxRetained), so it was ended; its agent flushes and spills once more as it stops.',
    '',
    `Flushes that it was asked for (document ${document}):`,
    ...(tries.length > 0 ? tries : ['  none']),
  ];
  if (kept) {
    lines.push(
      '',
      'On the instance: systemctl start tailrace; tailrace status; tailrace flush.',
      'When nothing is left, end it:',
      `  aws autoscaling terminate-instance-in-auto-scaling-group --no-should-decrement-desired-capacity --instance-id ${instance}`,
      'It may then wait in Terminating:Wait once more, is asked to flush, and goes when that succeeds.',
      'If it cannot flush any more, and what it holds may be given up, complete that wait yourself:',
      `  aws autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE --lifecycle-hook-name ${hook} --auto-scaling-group-name ${shellWord(group)} --instance-id ${instance}`,
      'An instance of a warm pool is ended by aws ec2 terminate-instances instead.',
    );
  }
  return lines.join('\n');
}

/** A text as one word of a POSIX shell. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Flush commands in Systems Manager: asked for, and found again without a table of our own. */
import {
  type Command,
  InvalidInstanceId,
  paginateListCommands,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { commandStatus, type FlushCommand } from './decision.ts';
import type { DrainSettings } from './settings.ts';

/** Token of a command that the watch sent: it sees instances, not the tokens of their hooks. */
export const WATCH_TOKEN = 'watch';
/** Name of the document's parameter that says which group the instance is in. */
const GROUP_PARAMETER = 'group';
/** Milliseconds that a command may be older than the budget and is still this termination's. */
const SLACK_MS = 2 * 3_600_000;

/** A command as it was found, with what its comment and parameters say. */
export interface FoundCommand extends FlushCommand {
  readonly instance: string;
  readonly token: string;
  readonly group: string | null;
}

/** An instance that waits, as its event or its group names it. */
export interface Waiting {
  readonly instance: string;
  readonly group: string;
  /** Null where only the group was asked. */
  readonly token: string | null;
}

/** At most 100 characters: an instance id has 19, a token 36. */
export function commentOf({ instance, token }: Waiting): string {
  return `terminate ${instance} ${token ?? WATCH_TOKEN}`;
}

const COMMENT = /^terminate (i-[0-9a-f]{8,17}) (\S+)$/;

export function foundCommand(command: Command): FoundCommand | null {
  const match = COMMENT.exec(command.Comment ?? '');
  if (!match || command.CommandId === undefined) return null;
  // A comment is what its sender says; that a command ran on this instance is what Systems Manager says.
  if (command.InstanceIds?.includes(match[1]!) === false) return null;
  return {
    id: command.CommandId,
    // The details tell an undeliverable command from one that failed.
    status: commandStatus(command.StatusDetails === 'Undeliverable' ? 'Undeliverable' : command.Status),
    requestedAt: command.RequestedDateTime?.getTime() ?? 0,
    instance: match[1]!,
    token: match[2]!,
    group: command.Parameters?.[GROUP_PARAMETER]?.[0] ?? null,
  };
}

/** The commands among `found` that belong to this termination of the instance. */
export function commandsOf(found: readonly FoundCommand[], { instance, token }: Waiting): FoundCommand[] {
  return found.filter(
    (command) =>
      command.instance === instance &&
      (token === null || command.token === token || command.token === WATCH_TOKEN),
  );
}

/**
 * All flushes asked of any instance lately. By document and time, because an instance can't be filtered by while its
 * command is pending.
 */
export async function listFlushes(
  ssm: SSMClient,
  { document, budget }: DrainSettings,
  now: number,
): Promise<FoundCommand[]> {
  const after = new Date(now - budget - SLACK_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  const pages = paginateListCommands(
    { client: ssm, pageSize: 50 },
    {
      Filters: [
        { key: 'DocumentName', value: document },
        { key: 'InvokedAfter', value: after },
      ],
    },
  );
  const found: FoundCommand[] = [];
  for await (const { Commands } of pages) {
    for (const command of Commands ?? []) {
      const flush = foundCommand(command);
      if (flush) found.push(flush);
    }
  }
  return found;
}

/**
 * Asks the instance to flush.
 *
 * @returns the command, with status Unmanaged when Systems Manager doesn't know the instance
 */
export async function sendFlush(
  ssm: SSMClient,
  { document, deliverySeconds }: DrainSettings,
  waiting: Waiting,
  now: number,
): Promise<FlushCommand> {
  try {
    const { Command } = await ssm.send(
      new SendCommandCommand({
        DocumentName: document,
        InstanceIds: [waiting.instance],
        Comment: commentOf(waiting),
        TimeoutSeconds: deliverySeconds,
        Parameters: { [GROUP_PARAMETER]: [waiting.group] },
      }),
    );
    return { id: Command?.CommandId ?? '', status: 'Pending', requestedAt: now };
  } catch (error) {
    if (!(error instanceof InvalidInstanceId)) throw error;
    return { id: '', status: 'Unmanaged', requestedAt: now };
  }
}

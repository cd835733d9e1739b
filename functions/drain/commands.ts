/** Flush commands in Systems Manager: sent, and found later without a table of our own. */
import {
  type Command,
  InvalidInstanceId,
  ListCommandsCommand,
  paginateListCommands,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { commandStatus, type FlushCommand } from './decision.ts';
import type { DrainSettings } from './settings.ts';

/** In the place of a token in the comment of a command that the watch sent: it sees instances, not their tokens. */
const WATCH_TOKEN = 'watch';
/** Name of the document's parameter that carries the instance's group. */
const GROUP_PARAMETER = 'group';
/** Milliseconds before the budget for which commands are still listed. */
const SLACK_MS = 2 * 3_600_000;
/** Milliseconds by which the clocks of the services may differ, and by which their times are rounded. */
const SKEW_MS = 2000;

/** A command as it was found, with what its comment and parameters say. */
export interface FoundCommand extends FlushCommand {
  readonly instance: string;
  /** Of the lifecycle action that it was sent for; null when the watch sent it. */
  readonly token: string | null;
  readonly group: string | null;
}

/** An instance to flush, as its event or its group names it. */
export interface FlushTarget {
  readonly instance: string;
  readonly group: string;
  /** Null where only the group was asked. */
  readonly token: string | null;
}

/** At most 100 characters: an instance id has 19, a token 36. */
export function commentOf({ instance, token }: FlushTarget): string {
  return `terminate ${instance} ${token ?? WATCH_TOKEN}`;
}

const COMMENT = /^terminate (i-[0-9a-f]{8,17}) (\S+)$/;

export function foundCommand(command: Command): FoundCommand | null {
  const match = COMMENT.exec(command.Comment ?? '');
  if (!match || command.CommandId === undefined) return null;
  // A comment is what its sender says; that a command ran on this instance is what Systems Manager says.
  if (command.InstanceIds?.includes(match[1]!) === false) return null;
  const group = command.Parameters?.[GROUP_PARAMETER]?.[0];
  return {
    id: command.CommandId,
    // The details tell an undeliverable command from one that failed.
    status: commandStatus(command.StatusDetails === 'Undeliverable' ? 'Undeliverable' : command.Status),
    requestedAt: command.RequestedDateTime?.getTime() ?? 0,
    instance: match[1]!,
    token: match[2] === WATCH_TOKEN ? null : match[2]!,
    group: group === undefined ? null : decodeGroup(group),
  };
}

/** A group's name in letters that the document's parameter takes: all others as `%41`, each byte of their UTF-8. */
export function encodeGroup(name: string): string {
  return encodeURIComponent(name).replace(
    /[^A-Za-z0-9%._-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decodeGroup(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A command of an earlier release carries the name as it is.
    return text;
  }
}

/** When a wait began, as far as that can be known. */
export interface Since {
  /** Milliseconds since 1970 by Auto Scaling's activity; null when it names none. */
  readonly begun: number | null;
  /** Milliseconds since 1970 when the watch first saw the instance wait. */
  readonly seen: number;
}

/**
 * The commands among those of one instance that were sent for this wait of it: an instance id can wait twice.
 *
 * Where the beginning is not known, a command of an event counts while it is under way, or when it was a success:
 * completing the wait with its token fails if it was sent for an earlier one. The rest count since the watch saw it.
 *
 * @param settled tokens whose lifecycle action is over
 */
export function commandsOfWait(
  commands: readonly FoundCommand[],
  { begun, seen }: Since,
  settled: ReadonlySet<string> = new Set(),
): FoundCommand[] {
  return commands.filter((command) => {
    if (command.token !== null && settled.has(command.token)) return false;
    if (begun !== null) return command.requestedAt >= begun - SKEW_MS;
    if (command.requestedAt >= seen) return true;
    return command.token !== null && ['Success', 'Pending', 'InProgress', 'Delayed'].includes(command.status);
  });
}

/**
 * All flushes that any instance was asked for since `from`, milliseconds since 1970. By document and time, because an
 * instance cannot be filtered by while its command is pending.
 */
export async function listFlushes(
  ssm: SSMClient,
  { document }: DrainSettings,
  from: number,
): Promise<FoundCommand[]> {
  const after = new Date(from).toISOString().replace(/\.\d+Z$/, 'Z');
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

/** How far back the watch lists: no wait that is still looked after began earlier. */
export function listedSince(now: number, { budget }: DrainSettings): number {
  return now - budget - SLACK_MS;
}

/** One command by its id, or null when the list does not have it yet, or it is not one of ours. */
export async function findFlush(ssm: SSMClient, id: string): Promise<FoundCommand | null> {
  const { Commands } = await ssm.send(new ListCommandsCommand({ CommandId: id }));
  const [command] = Commands ?? [];
  return command ? foundCommand(command) : null;
}

/**
 * Asks the instance to flush.
 *
 * @returns the command's id, or null when Systems Manager does not know the instance
 */
export async function sendFlush(
  ssm: SSMClient,
  { document, deliverySeconds }: DrainSettings,
  target: FlushTarget,
): Promise<string | null> {
  try {
    const { Command } = await ssm.send(
      new SendCommandCommand({
        DocumentName: document,
        InstanceIds: [target.instance],
        Comment: commentOf(target),
        TimeoutSeconds: deliverySeconds,
        Parameters: { [GROUP_PARAMETER]: [encodeGroup(target.group)] },
      }),
    );
    return Command?.CommandId ?? '';
  } catch (error) {
    if (!(error instanceof InvalidInstanceId)) throw error;
    return null;
  }
}

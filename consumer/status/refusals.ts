/** What AWS refuses the daemon, by name: read from its log, because KCL only retries and says nothing else of it. */
import { uptime } from '../../base/uptime.ts';

interface Kind {
  readonly reason: string;
  readonly pattern: RegExp;
  readonly advice: string;
}

/**
 * The first that matches counts. DynamoDB's errors come without their names, only with their words. What goes away by itself, such as throttling, is not among them.
 */
const KINDS: readonly Kind[] = [
  {
    reason: 'kms',
    // As services spell it, and as the SDK for Java does.
    pattern:
      /\bK(?:MS|ms)(?:Disabled|AccessDenied|InvalidState|NotFound|OptInRequired)(?:Exception|Fault)?\b|KMS key access denied|\bAWSKMSException\b|\bKmsException\b/,
    advice: 'enable the KMS key of the stream or the tables, or allow this role to use it',
  },
  {
    reason: 'clock',
    pattern: /\bRequestTimeTooSkewed\b|\bRequestExpired\b|Signature (?:expired|not yet current)/,
    advice: "set this machine's clock",
  },
  {
    reason: 'expired_token',
    pattern: /\bExpiredToken(?:Exception)?\b|security token included in the request is expired/,
    advice: 'renew the credentials',
  },
  {
    reason: 'access_denied',
    pattern: /\bAccessDenied(?:Exception)?\b|access_denied|is not authorized to perform/,
    advice: 'allow this role what the message names (docs/consumer.md lists the rights)',
  },
  {
    reason: 'credentials',
    pattern:
      /\bUnrecognizedClientException\b|\bInvalidClientTokenId\b|\bInvalidSignatureException\b|\bMissingAuthenticationToken|security token included in the request is invalid|request signature we calculated does not match|missing Authentication Token|Unable to load credentials/,
    advice: 'give this machine valid credentials, or set kcl.credentials_provider',
  },
  {
    reason: 'http2',
    pattern:
      /First received frame was not SETTINGS|Http2Exception|\bGOAWAY\b.*(?:PROTOCOL|HTTP_1_1_REQUIRED)/,
    advice: 'KCL speaks HTTP/2 alone: put an HTTP/2 front before stream.endpoint',
  },
  {
    reason: 'unknown_host',
    pattern: /\bUnknownHostException\b/,
    advice: 'check stream.region, the endpoints and DNS',
  },
];
/** KCL repeats what fails within seconds to a minute: after this it is over. */
const FRESH_MS = 120_000;
const LONGEST_MESSAGE = 300;

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export class Refusals {
  readonly #uptime: () => number;
  readonly #seen = new Map<string, { readonly message: string; readonly at: number }>();

  constructor(clock: () => number = uptime) {
    this.#uptime = clock;
  }

  /**
   * Looks for a refusal in a message.
   *
   * @returns it when its reason is new
   */
  note(text: string): Refusal | null {
    const kind = KINDS.find(({ pattern }) => pattern.test(text));
    if (!kind) return null;
    const isNew = !this.current().some(({ reason }) => reason === kind.reason);
    const message = `${excerpt(text, kind.pattern)}: ${kind.advice}`;
    this.#seen.set(kind.reason, { message, at: this.#uptime() });
    return isNew ? { reason: kind.reason, message } : null;
  }

  /** Those of the last two minutes. */
  current(): Refusal[] {
    const since = this.#uptime() - FRESH_MS;
    return [...this.#seen].flatMap(([reason, { message, at }]) => (at > since ? [{ reason, message }] : []));
  }
}

/** The part of a message of many kilobytes that says it: from a little before the match. */
function excerpt(text: string, pattern: RegExp): string {
  const at = pattern.exec(text)!.index;
  const from = at < LONGEST_MESSAGE / 2 ? 0 : at - 100;
  const part = text.slice(from, from + LONGEST_MESSAGE).trim();
  return `${from > 0 ? '…' : ''}${part}${from + LONGEST_MESSAGE < text.length ? '…' : ''}`;
}

/** What the failure of a whole request means: a condition with a stable name, and one sentence for people. */

/** Names of conditions, as in status, in /metrics and in the log. */
export const CONDITIONS = [
  'throttled',
  'access',
  'credentials',
  'clock',
  'no_stream',
  'stream_changing',
  'kms',
  'dns',
  'tls',
  'timeout',
  'connection',
  'service',
  'request',
  'spool',
] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface Trouble {
  readonly condition: Condition;
  /** One sentence, with what to do where there is something to do. */
  readonly message: string;
}

/** Conditions that come and go: one failure alone is not worth reporting. */
export const PASSING: ReadonlySet<Condition> = new Set(['throttled', 'timeout', 'connection', 'service']);

export interface StreamName {
  readonly name: string;
  readonly region: string;
  /** Of a stream in another account. */
  readonly arn?: string | undefined;
  readonly endpoint?: string | undefined;
}

/** What to look at where packets get lost. */
const ROUTE = 'check the way to it (routes, security groups, VPC endpoint, proxy) and stream.region';

const BY_CODE: Readonly<Record<string, Condition>> = {
  ProvisionedThroughputExceededException: 'throttled',
  ThrottlingException: 'throttled',
  Throttling: 'throttled',
  TooManyRequestsException: 'throttled',
  LimitExceededException: 'throttled',
  RequestLimitExceeded: 'throttled',
  AccessDeniedException: 'access',
  AccessDenied: 'access',
  NotAuthorized: 'access',
  OptInRequired: 'access',
  UnrecognizedClientException: 'credentials',
  InvalidClientTokenId: 'credentials',
  InvalidSignatureException: 'credentials',
  MissingAuthenticationTokenException: 'credentials',
  IncompleteSignature: 'credentials',
  ExpiredTokenException: 'credentials',
  ExpiredToken: 'credentials',
  CredentialsProviderError: 'credentials',
  TokenProviderError: 'credentials',
  RequestExpired: 'clock',
  RequestTimeTooSkewed: 'clock',
  ResourceNotFoundException: 'no_stream',
  ResourceInUseException: 'stream_changing',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  ENODATA: 'dns',
  TimeoutError: 'timeout',
  AbortError: 'timeout',
  ETIMEDOUT: 'timeout',
  ECONNREFUSED: 'connection',
  ECONNRESET: 'connection',
  ECONNABORTED: 'connection',
  EADDRNOTAVAIL: 'connection',
  EHOSTDOWN: 'connection',
  ENETDOWN: 'connection',
  EPIPE: 'connection',
  EHOSTUNREACH: 'connection',
  ENETUNREACH: 'connection',
  InternalFailure: 'service',
  InternalFailureException: 'service',
  ServiceUnavailable: 'service',
  ServiceUnavailableException: 'service',
  ValidationException: 'request',
  InvalidArgumentException: 'request',
  SerializationException: 'request',
  SPOOL_READ: 'spool',
};

/** Codes of OpenSSL and Node about a certificate, or a handshake that fails. */
const TLS_CODE = /^(CERT_|DEPTH_ZERO_|EPROTO|ERR_SSL_|ERR_TLS_|HOSTNAME_MISMATCH|SELF_SIGNED_|UNABLE_TO_)/;

/** Which condition an error of a request stands for; what is unknown counts as trouble of the service. */
export function conditionOf(error: unknown): Condition {
  const { name, message } = error as Error;
  if (name === 'InvalidSignatureException' && /signature (expired|not yet current)/i.test(message))
    return 'clock';
  if (name.startsWith('KMS')) return 'kms';
  // The SDK calls a reset connection a time-out; the system's own code says more.
  const own = codeOf(error) ?? '';
  const code = TLS_CODE.test(own) ? 'tls' : BY_CODE[own];
  const known = name === 'TimeoutError' ? (code ?? 'timeout') : (BY_CODE[name] ?? code);
  if (known) return known;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 500;
  if (status === 403) return 'access';
  return status >= 400 && status < 500 ? 'request' : 'service';
}

export function explain(error: unknown, { name, region, endpoint }: StreamName): Trouble {
  const condition = conditionOf(error);
  const where = endpoint ?? `Kinesis in ${region}`;
  const { name: type, message } = error as Error;
  const code = codeOf(error) ?? type;
  const said = message && message !== 'UnknownError' ? `: ${message}` : '';
  return { condition, message: sentence(condition, name, where, code, said) };
}

function sentence(condition: Condition, name: string, where: string, code: string, said: string): string {
  switch (condition) {
    case 'throttled':
      return `${where} takes no more requests at present (${code})`;
    case 'access':
      return `${where} refuses access to stream ${name} (${code}${said}): check the role's permissions (kinesis:PutRecords, ListShards, DescribeStreamSummary)`;
    case 'credentials':
      return `no valid AWS credentials (${code}${said}): check the instance profile or the environment`;
    case 'clock':
      return `${where} finds the request's time wrong (${code}): correct this machine's clock`;
    case 'no_stream':
      return `stream ${name} does not exist at ${where}: create it or correct stream.name`;
    case 'stream_changing':
      return `stream ${name} is being created or changed`;
    case 'kms':
      return `the key that encrypts stream ${name} cannot be used (${code}${said}): check the key's state and policy`;
    case 'dns':
      return `the address of ${where} cannot be resolved (${code}): check DNS and stream.endpoint`;
    case 'tls':
      return `no safe connection to ${where} (${code}${said}): check this machine's clock and CA certificates, and proxies`;
    case 'timeout':
      return `${where} does not answer: ${ROUTE}`;
    case 'connection':
      return `${where} cannot be reached (${code}${said}): ${ROUTE}`;
    case 'service':
      return `${where} failed (${code}${said})`;
    case 'request':
      return `${where} refuses the request (${code}${said})`;
    case 'spool':
      return `the spool cannot be read${said}`;
  }
}

function codeOf(error: unknown): string | undefined {
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown[] };
  if (typeof code === 'string') return code;
  if (errors?.[0]) return codeOf(errors[0]);
  return cause === undefined || cause === null ? undefined : codeOf(cause);
}

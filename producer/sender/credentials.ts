/** Where credentials come from: the SDK's chain of providers, some of which (a process, a token service) may never answer. */
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { withTimeout } from '../../base/with-timeout.ts';

const TIMEOUT_MS = 10_000;
/** Questions without an answer at a time: each may hold a process or a connection. */
const MAX_UNANSWERED = 10;

export class CredentialSource {
  readonly #timeout: number;
  #unanswered = 0;

  /** @param timeout milliseconds after which a question is given up */
  constructor(timeout = TIMEOUT_MS) {
    this.#timeout = timeout;
  }

  /** A provider that asks every source each time; it throws a CredentialsProviderError when none answers in time. */
  provider(): ReturnType<typeof defaultProvider> {
    const provider = defaultProvider({ ignoreCache: true });
    return async () => {
      if (this.#unanswered >= MAX_UNANSWERED) throw failure('the source of credentials does not answer');
      this.#unanswered++;
      const asked = provider().finally(() => {
        this.#unanswered--;
      });
      try {
        return await withTimeout(this.#timeout, () => asked);
      } catch (error) {
        if ((error as Error).name !== 'TimeoutError') throw error;
        throw failure(`no credentials within ${this.#timeout / 1000} s`, error);
      }
    };
  }
}

function failure(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { name: 'CredentialsProviderError' });
}

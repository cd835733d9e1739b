/** The demo's application events: sent with npm fluent-logger to the agent's forward input, each with an ack. */
import fluent from 'fluent-logger';

/** The parts of fluent-logger's sender that its own types omit or are too strict about. */
interface FluentSender {
  emit(label: string, event: object, time: object, callback: (error?: Error) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  end(): void;
  _disconnect(): void;
}

const ACK_MS = 30_000;
const LABELS = ['orders', 'orders', 'logins'] as const;

export class ShopEvents {
  readonly #host: string;
  readonly #port: number;
  #sender: FluentSender | null = null;
  #waiting = new Set<(error: Error) => void>();

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  /** Resolves when the agent has acknowledged the event; rejects when its fate is unknown. */
  send(number: number): Promise<void> {
    const sender = this.#connected();
    const label = LABELS[number % LABELS.length]!;
    const time = fluent.EventTime as unknown as { fromDate(date: Date): object };
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        if (!this.#waiting.delete(settle)) return;
        if (error) reject(error);
        else resolve();
      };
      this.#waiting.add(settle);
      sender.emit(label, shopEvent(label, number), time.fromDate(new Date()), settle);
    });
  }

  close(): void {
    this.#sender?.end();
    this.#sender = null;
  }

  /** fluent-logger neither resends nor reports what was in flight on a broken connection: a new sender is cleaner. */
  #connected(): FluentSender {
    if (this.#sender !== null) return this.#sender;
    const sender = fluent.createFluentSender('shop', {
      host: this.#host,
      port: this.#port,
      eventMode: 'PackedForward',
      requireAckResponse: true,
      ackResponseTimeout: ACK_MS,
      flushInterval: 50,
      internalLogger: { info: () => {}, error: () => {} },
    }) as unknown as FluentSender;
    sender.on('error', (error) => {
      if (this.#sender !== sender) return;
      this.#sender = null;
      sender._disconnect();
      for (const settle of [...this.#waiting]) settle(error);
    });
    this.#sender = sender;
    return sender;
  }
}

function shopEvent(label: string, number: number): object {
  const user = `user-${(number * 31) % 1000}`;
  if (label === 'logins') {
    return {
      event_number: number,
      user,
      success: number % 11 !== 0,
      method: number % 2 ? 'passkey' : 'password',
    };
  }
  return {
    event_number: number,
    user,
    order: `2026-${number.toString(36).toUpperCase()}`,
    total: ((number * 137) % 20_000) / 100,
    currency: 'EUR',
    items: [{ product: (number * 7919) % 500, quantity: 1 + (number % 3) }],
    note: number % 20 === 0 ? 'Bitte klingeln – grüner Tee 🍵' : null,
  };
}

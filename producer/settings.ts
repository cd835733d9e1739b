/** What the configuration says to each part of the agent, in that part's own terms. */
import { type BuilderLimits, DEFAULT_BUILDER_LIMITS } from './builder.ts';
import { compressionOf, type DeflateFault } from './compression.ts';
import type { AgentConfig } from './config.ts';
import { DEFAULT_SEALER_OPTIONS, type SealerOptions, type SealPace } from './sealer.ts';
import { DEFAULT_SENDER_OPTIONS, type SenderOptions } from './sender/sender.ts';

export function builderLimits({ max_tags, max_past, max_future }: AgentConfig): BuilderLimits {
  return { ...DEFAULT_BUILDER_LIMITS, maxTags: max_tags, maxPast: max_past, maxFuture: max_future };
}

/** @param fault called as {@link compressionOf} says */
export function sealerOptions(config: AgentConfig, fault: (fault: DeflateFault) => void): SealerOptions {
  const compression = compressionOf(config.compression, fault);
  return { ...DEFAULT_SEALER_OPTIONS, compression, ...paceOf(config) };
}

export function paceOf({ seal }: AgentConfig): SealPace {
  return {
    interval: seal.interval,
    idleInterval: seal.idle_interval,
    ackInterval: seal.ack_interval,
    watermarkInterval: seal.watermark_interval,
  };
}

export function senderOptions({ send }: AgentConfig): SenderOptions {
  return {
    ...DEFAULT_SENDER_OPTIONS,
    requestBytes: send.request_size,
    requestsInFlight: send.requests_in_flight,
    gather: send.gather,
    bytesPerSecond: send.max_bytes_per_second ?? Number.POSITIVE_INFINITY,
  };
}

/**
 * Frees a large buffer's memory now instead of with the next garbage collection. The engine collects whenever some
 * megabytes outside its heap may be garbage, however little there is inside of it: that took a tenth of the agent's CPU.
 * The buffer is empty afterwards.
 */
export function freeBuffer({ buffer }: Buffer<ArrayBufferLike>): void {
  // A smaller one may be shared: Node cuts small buffers out of a pool.
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

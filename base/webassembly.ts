/** Starts a WebAssembly module that this repository was built with, in a memory of its own. */

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): void;
}

/** Pages of 64 KiB. */
interface Pages {
  readonly initial: number;
  readonly maximum: number;
}

/** What this file uses of WebAssembly, whose types are those of browsers. */
interface Api {
  readonly Memory: new (size: Pages) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

/**
 * @param wasm the module, in base64; it imports its memory as `env.memory`
 * @returns null on a Node without WebAssembly (`--jitless`), or a processor without its vectors
 */
export function startWasm<Exports>(
  wasm: string,
  pages: Pages,
): { readonly memory: WasmMemory; readonly exports: Exports } | null {
  const { WebAssembly } = globalThis as unknown as { WebAssembly?: Api };
  if (WebAssembly === undefined) return null;
  try {
    const memory = new WebAssembly.Memory(pages);
    const module = new WebAssembly.Module(Buffer.from(wasm, 'base64'));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return { memory, exports: exports as Exports };
  } catch {
    return null;
  }
}

/** AssemblyScript: where the deflate encoder has what in its memory, and the sizes that chunk/deflate.ts shares. */

/** Positions of the input are told apart by their lowest 16 bits, so it lies at whole spans and is moved by whole ones. */
export const SPAN: usize = 64 * 1024;
/** As far back as deflate refers (RFC 1951, section 2). */
export const WINDOW: usize = 32 * 1024;
/** The longest match. */
export const LONGEST: u32 = 258;
/** Behind the input, so that whole vectors can be read. */
export const PADDING: usize = 32;

/** Symbols of literals and lengths; of distances; of code lengths. */
export const SYMBOLS: u32 = 286;
export const DISTANCES: u32 = 30;
export const LENGTH_CODES: u32 = 19;
export const END_OF_BLOCK: u32 = 256;
export const FIRST_LENGTH: u32 = 257;

/**
 * Below are the tables of the inflater, which reads back what is written. Then for each hash a row of the newest positions
 * with it, the newest first: u32 of the position's lowest 16 bits, and above them more bits of the hash.
 */
export const ROW_BITS: u32 = 11;
export const ROW: usize = 32;
export const ROWS: usize = 64 * 1024;
/** u8: the symbol of each length, less 257. */
export const LENGTH_SLOTS: usize = ROWS + (ROW << ROW_BITS);
/** u32: how often a symbol occurs in the block, literals and lengths first. */
export const COUNTS: usize = LENGTH_SLOTS + 512;
export const DISTANCE_COUNTS: usize = COUNTS + 4 * 288;
export const LENGTH_COUNTS: usize = DISTANCE_COUNTS + 4 * 32;
/** u8: the bits of a symbol's code. */
export const BITS: usize = LENGTH_COUNTS + 4 * 32;
export const DISTANCE_BITS: usize = BITS + 288;
export const LENGTH_BITS: usize = DISTANCE_BITS + 32;
/** u32: a symbol's code, and from bit 24 on how many bits it has. Of lengths there is one for each, with its extra bits. */
export const CODES: usize = LENGTH_BITS + 32;
export const DISTANCE_CODES: usize = CODES + 4 * 288;
export const LENGTH_CODE_CODES: usize = DISTANCE_CODES + 4 * 32;
export const MATCH_CODES: usize = LENGTH_CODE_CODES + 4 * 32;
/** u32: symbols by how often they occur; u32: how many codes have so many bits. */
export const SORTED: usize = MATCH_CODES + 4 * 260;
export const DEPTHS: usize = SORTED + 4 * 288;
/** u16: the code lengths of a block's header, with repeats. */
export const RUNS: usize = DEPTHS + 64;
/** Of 8 bytes: literals before a match (u32), its length and distance (u16); no length ends the block. */
export const SEQUENCES: usize = RUNS + 1024;
export const MAX_SEQUENCES: u32 = 14 * 1024;

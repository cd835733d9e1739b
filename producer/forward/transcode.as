/**
 * AssemblyScript: turns plain forward entries, msgpack, into lines of JSON. The same as events.ts with JsonWriter, byte
 * for byte, for what is usual: an array of a time and a map with strings as keys. At anything else it stops, and the
 * entry is taken by the other way. Built by `npm run build:wasm`; never edit transcode-wasm.ts.
 *
 * Memory: scratch for the keys of nested maps, then what the caller lays out (see transcode.ts). All reads stay below
 * `end` and all writes below `limit`, except that whole vectors are read and written: both regions have room behind them.
 */

/** Levels of maps and arrays in a record, and keys of a map, that are followed here. */
const MAX_DEPTH: u32 = 16;
const MAX_KEYS: u32 = 64;
/** Larger records are written by the other way, as in events.ts. */
const DIRECT_BYTES: usize = 16 * 1024;
/** Signatures of keys: MAX_KEYS of eight bytes for each level. */
const KEYS: usize = 1024;
/** The second that was written last, as text. */
const SECOND_TEXT: usize = 64;

/** Results, read by the caller. */
export let consumed: usize = 0;
export let produced: usize = 0;
export let count: u32 = 0;
export let firstTime: f64 = 0;
export let lastTime: f64 = 0;

let end: usize = 0;
let limit: usize = 0;
let out: usize = 0;
let watchedAt: usize = 0;
let watchedCount: u32 = 0;
let lastSecond: i64 = -1;

// @ts-ignore: decorator
@inline
function big16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

// @ts-ignore: decorator
@inline
function big32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

// @ts-ignore: decorator
@inline
function put(byte: u32): void {
  store<u8>(out++, <u8>byte);
}

/** What tells keys apart: equal keys have equal signatures, and other ones hardly ever. */
export function signature(at: usize, length: u32): u64 {
  if (length >= 8)
    return (load<u64>(at) ^ rotl<u64>(load<u64>(at + length - 8), 23)) * 0x9e3779b97f4a7c15 + length;
  const mask: u64 = ((<u64>1) << (length << 3)) - 1;
  return (load<u64>(at) & mask) * 0x9e3779b97f4a7c15 + length;
}

/**
 * Transcodes entries from `at` on.
 *
 * @param from,to the first second, and the one behind the last, that the lines may have
 * @param added,addedLength members that follow each record's own, and the closing brace and newline
 */
export function run(
  at: usize,
  end_: usize,
  out_: usize,
  limit_: usize,
  from: f64,
  to: f64,
  added: usize,
  addedLength: u32,
  watched: usize,
  watchedLength: u32,
): void {
  end = end_;
  limit = limit_;
  out = out_;
  watchedAt = watched;
  watchedCount = watchedLength;
  count = 0;
  consumed = at;
  produced = out_;
  firstTime = Infinity;
  lastTime = 0;
  while (at < end_) {
    if (at + 12 > end_ || load<u8>(at) != 0x92) return;
    const type: u32 = load<u8>(at + 1);
    let seconds: u32;
    let nanoseconds: u32 = 0;
    if (type == 0xd7) {
      if (load<u8>(at + 2) != 0) return;
      seconds = big32(at + 3);
      nanoseconds = big32(at + 7);
      if (nanoseconds >= 1000000000) return;
      at += 11;
    } else if (type == 0xce) {
      seconds = big32(at + 2);
      at += 6;
    } else return;
    if (<f64>seconds < from || <f64>seconds >= to) return;
    if (out + 64 > limit) return;
    // {"time":"
    store<u64>(out, 0x3a22656d6974227b);
    store<u8>(out + 8, 0x22);
    out += 9;
    writeTime(seconds, nanoseconds);
    put(0x22);
    const record = at;
    at = pairs(at, 0);
    if (at == 0 || at - record > DIRECT_BYTES || out + addedLength + 16 > limit) return;
    memory.copy(out, added, addedLength);
    out += addedLength;
    const time: f64 = <f64>seconds * 1000 + <f64>(nanoseconds / 1000000);
    firstTime = min(firstTime, time);
    lastTime = max(lastTime, time);
    count++;
    consumed = at;
    produced = out;
  }
}

/** As TimeWriter: no fraction, three digits, or nine. */
function writeTime(seconds: u32, nanoseconds: u32): void {
  if (<i64>seconds != lastSecond) renderSecond(seconds);
  v128.store(out, v128.load(SECOND_TEXT));
  store<u32>(out + 16, load<u32>(SECOND_TEXT + 16));
  out += 19;
  if (nanoseconds != 0) {
    const exact = nanoseconds % 1000000 != 0;
    let rest = exact ? nanoseconds : nanoseconds / 1000000;
    const digits: u32 = exact ? 9 : 3;
    store<u8>(out, 0x2e);
    for (let i = digits; i > 0; i--) {
      store<u8>(out + i, <u8>(48 + (rest % 10)));
      rest /= 10;
    }
    out += digits + 1;
  }
  put(0x5a);
}

/** The civil date of a day (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
function renderSecond(seconds: u32): void {
  lastSecond = <i64>seconds;
  const day = seconds / 86400;
  const rest = seconds % 86400;
  const z = day + 719468;
  const era = z / 146097;
  const doe = z - era * 146097;
  const yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const mp = (5 * doy + 2) / 153;
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  two(SECOND_TEXT, year / 100);
  two(SECOND_TEXT + 2, year % 100);
  store<u8>(SECOND_TEXT + 4, 0x2d);
  two(SECOND_TEXT + 5, month);
  store<u8>(SECOND_TEXT + 7, 0x2d);
  two(SECOND_TEXT + 8, doy - (153 * mp + 2) / 5 + 1);
  store<u8>(SECOND_TEXT + 10, 0x54);
  two(SECOND_TEXT + 11, rest / 3600);
  store<u8>(SECOND_TEXT + 13, 0x3a);
  two(SECOND_TEXT + 14, (rest / 60) % 60);
  store<u8>(SECOND_TEXT + 16, 0x3a);
  two(SECOND_TEXT + 17, rest % 60);
}

function two(at: usize, value: u32): void {
  store<u8>(at, <u8>(48 + value / 10));
  store<u8>(at + 1, <u8>(48 + (value % 10)));
}

/** Writes the pairs of the map at `at`, without braces; 0 for anything that is not plain. */
function pairs(at: usize, depth: u32): usize {
  const type: u32 = load<u8>(at);
  let keys: u32;
  if (type >= 0x80 && type < 0x90) {
    keys = type & 15;
    at++;
  } else if (type == 0xde && at + 3 <= end) {
    keys = big16(at + 1);
    at += 3;
  } else return 0;
  if (keys > MAX_KEYS || depth >= MAX_DEPTH) return 0;
  const seen: usize = KEYS + ((<usize>depth * MAX_KEYS) << 3);
  for (let i: u32 = 0; i < keys; i++) {
    if (at + 2 > end) return 0;
    const head: u32 = load<u8>(at);
    let length: u32;
    if (head >= 0xa0 && head < 0xc0) {
      length = head & 31;
      at++;
    } else if (head == 0xd9) {
      length = load<u8>(at + 1);
      at += 2;
    } else return 0;
    if (at + length > end) return 0;
    const sign = signature(at, length);
    for (let k: u32 = 0; k < i; k++) if (load<u64>(seen + (k << 3)) == sign) return 0;
    store<u64>(seen + (i << 3), sign);
    if (depth == 0) {
      for (let k: u32 = 0; k < watchedCount; k++) if (load<u64>(watchedAt + (k << 3)) == sign) return 0;
    }
    if (i > 0 || depth == 0) put(0x2c);
    const before = out;
    // A key with an escape is not plain: it may be a NUL.
    if (!string(at, length) || out - before != length + 2) return 0;
    put(0x3a);
    at = value(at + length, depth);
    if (at == 0) return 0;
  }
  return at;
}

/** Writes the value at `at` and returns where it ends; 0 for anything that is not plain. */
function value(at: usize, depth: u32): usize {
  if (at + 1 > end || out + 64 > limit) return 0;
  const type: u32 = load<u8>(at++);
  if (type >= 0xa0 && type < 0xc0) return text(at, type & 31);
  if (type < 0x80) {
    digits(type);
    return at;
  }
  if (type >= 0xe0) {
    put(0x2d);
    digits(0x100 - type);
    return at;
  }
  if (type < 0x90 || type == 0xde) {
    put(0x7b);
    const next = pairs(at - 1, depth + 1);
    put(0x7d);
    return next;
  }
  if (type < 0xa0) return array(at, type & 15, depth);
  if (type == 0xdc) return at + 2 <= end ? array(at + 2, big16(at), depth) : 0;
  const size = sizeOf(type);
  if (size < 0 || at + size > end) return 0;
  const next = at + size;
  switch (type) {
    case 0xc0:
      store<u32>(out, 0x6c6c756e);
      out += 4;
      return next;
    case 0xc2:
      store<u64>(out, 0x65736c6166);
      out += 5;
      return next;
    case 0xc3:
      store<u32>(out, 0x65757274);
      out += 4;
      return next;
    case 0xca:
      return float(<f64>reinterpret<f32>(big32(at))) ? next : 0;
    case 0xcb:
      return float(reinterpret<f64>(bswap<u64>(load<u64>(at)))) ? next : 0;
    case 0xcc:
      digits(load<u8>(at));
      return next;
    case 0xcd:
      digits(big16(at));
      return next;
    case 0xce:
      digits(big32(at));
      return next;
    case 0xcf:
      digits(bswap<u64>(load<u64>(at)));
      return next;
    case 0xd0:
      signed(<i64>load<i8>(at));
      return next;
    case 0xd1:
      signed(<i64>(<i16>big16(at)));
      return next;
    case 0xd2:
      signed(<i64>(<i32>big32(at)));
      return next;
    case 0xd3:
      signed(<i64>bswap<u64>(load<u64>(at)));
      return next;
    case 0xd9:
      return text(next, load<u8>(at));
    case 0xda:
      return text(next, big16(at));
    case 0xdb:
      return text(next, big32(at));
    default:
      return 0;
  }
}

/** Bytes behind the type byte of a value of fixed size, or of the length of a string; -1 for all others. */
function sizeOf(type: u32): i32 {
  switch (type) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return 0;
    case 0xcc:
    case 0xd0:
    case 0xd9:
      return 1;
    case 0xcd:
    case 0xd1:
    case 0xda:
      return 2;
    case 0xca:
    case 0xce:
    case 0xd2:
    case 0xdb:
      return 4;
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return 8;
    default:
      return -1;
  }
}

function array(at: usize, items: u32, depth: u32): usize {
  if (depth + 1 >= MAX_DEPTH) return 0;
  put(0x5b);
  for (let i: u32 = 0; i < items; i++) {
    if (i > 0) put(0x2c);
    at = value(at, depth + 1);
    if (at == 0) return 0;
  }
  put(0x5d);
  return at;
}

function text(at: usize, length: u32): usize {
  // Both are below 2^32, and memory is far smaller.
  if (<u64>at + length > <u64>end) return 0;
  return string(at, length) ? at + length : 0;
}

/** Writes a JSON string; false where its bytes are not UTF-8 or there is no room. */
function string(at: usize, length: u32): bool {
  if (<u64>out + <u64>length * 6 + 64 > <u64>limit) return false;
  put(0x22);
  const stop = at + length;
  while (at < stop) {
    const block = v128.load(at);
    v128.store(out, block);
    const special = v128.or(
      v128.or(i8x16.lt_s(block, i8x16.splat(0x20)), i8x16.eq(block, i8x16.splat(0x22))),
      i8x16.eq(block, i8x16.splat(0x5c)),
    );
    const mask: u32 = i8x16.bitmask(special);
    const plain: usize = mask == 0 ? 16 : ctz<u32>(mask);
    if (plain >= stop - at) {
      out += stop - at;
      break;
    }
    at += plain;
    out += plain;
    if (plain == 16) continue;
    const byte: u32 = load<u8>(at);
    if (byte >= 0x80) {
      const bytes = sequence(at, byte, stop);
      if (bytes == 0) return false;
      store<u32>(out, load<u32>(at));
      at += bytes;
      out += bytes;
    } else {
      escape(byte);
      at++;
    }
  }
  put(0x22);
  return true;
}

function escape(byte: u32): void {
  put(0x5c);
  if (byte >= 0x20) put(byte);
  else if (byte == 8) put(0x62);
  else if (byte == 9) put(0x74);
  else if (byte == 10) put(0x6e);
  else if (byte == 12) put(0x66);
  else if (byte == 13) put(0x72);
  else {
    put(0x75);
    put(0x30);
    put(0x30);
    put(48 + (byte >> 4));
    const low = byte & 15;
    put(low < 10 ? 48 + low : 87 + low);
  }
}

/** Bytes of the UTF-8 sequence at `at`; 0 where it is not one (Unicode 15, table 3-7). */
function sequence(at: usize, first: u32, stop: usize): u32 {
  if (first < 0xc2 || first > 0xf4) return 0;
  const length: u32 = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > stop) return 0;
  const second: u32 = load<u8>(at + 1);
  const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let k: u32 = 2; k < length; k++) if ((load<u8>(at + k) & 0xc0) != 0x80) return 0;
  return length;
}

function signed(number: i64): void {
  if (number < 0) {
    put(0x2d);
    digits(<u64>0 - <u64>number);
  } else digits(<u64>number);
}

function digits(number: u64): void {
  if (number < 10) {
    put(48 + <u32>number);
    return;
  }
  let length: u32 = 1;
  for (let rest = number; rest >= 10; rest /= 10) length++;
  for (let i = length; i > 0; i--) {
    store<u8>(out + i - 1, <u8>(48 + (number % 10)));
    number /= 10;
  }
  out += length;
}

/** The floats whose shortest decimal is known without a search; false for the others. */
function float(number: f64): bool {
  if (number > 0 && number < 1e6) {
    const millionths = floor<f64>(number * 1e6 + 0.5);
    if (millionths / 1e6 == number) {
      const all = <u64>millionths;
      let rest = <u32>(all % 1000000);
      if (rest != 0) {
        digits(all / 1000000);
        put(0x2e);
        let places: u32 = 6;
        for (; rest % 10 == 0; rest /= 10) places--;
        for (let i = places; i > 0; i--) {
          store<u8>(out + i - 1, <u8>(48 + (rest % 10)));
          rest /= 10;
        }
        out += places;
        return true;
      }
    }
  }
  if (floor<f64>(number) != number || abs<f64>(number) >= 1e15) return false;
  if (reinterpret<u64>(number) >> 63 != 0) put(0x2d);
  digits(<u64>abs<f64>(number));
  store<u16>(out, 0x302e);
  out += 2;
  return true;
}

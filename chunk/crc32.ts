/**
 * The CRC-32 (RFC 1952, section 8) of joined pieces, from the CRC-32 and the length of each: the checksum of an object
 * that is made of chunks, without their data.
 *
 * A CRC-32 is a remainder of polynomials over GF(2) modulo P. Appending n bytes multiplies what came before by x^(8n);
 * the rest is addition, that is XOR. Bits are reflected as in gzip: the highest bit is the coefficient of x^0.
 */

const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;

/** x^(2^k) modulo P, for every k that a length in bits can need. */
const POWERS: readonly number[] = powers();

/**
 * The CRC-32 of `a` followed by `b`.
 *
 * @param crcOfA the CRC-32 of `a`
 * @param crcOfB the CRC-32 of `b`
 * @param bytesOfB the length of `b`
 */
export function joinCrc32(crcOfA: number, crcOfB: number, bytesOfB: number): number {
  return (multiply(shiftOf(bytesOfB), crcOfA) ^ crcOfB) >>> 0;
}

/** x^(8 × bytes) modulo P. */
function shiftOf(bytes: number): number {
  let product = ONE;
  // Eight bits a byte: the lowest bit of the number of bytes stands for x^(2^3).
  for (let k = 3, left = bytes; left > 0; k++, left = Math.floor(left / 2)) {
    if (left % 2 === 1) product = multiply(POWERS[k]!, product);
  }
  return product;
}

/** The product of two polynomials modulo P. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) !== 0 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}

function powers(): number[] {
  const table = [ONE >>> 1];
  while (table.length < 64) table.push(multiply(table.at(-1)!, table.at(-1)!));
  return table;
}

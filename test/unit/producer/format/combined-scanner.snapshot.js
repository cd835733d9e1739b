// The scanner that producer/format/access-log-code.ts generates for nginx combined; do not edit.
function anonymous(parser, view, out, i, end, at) {
  let known = true;
  if (!true) return -1;
  i += 0;
  {
    const member = at;
    const value = i;
    out.setInt32(at + 0, 1701978668, true);
    out.setInt32(at + 4, 1702129517, true);
    out.setInt32(at + 8, 2243106, true);
    at += 11;

    while (i < end) {
      const a = view.getInt32(i, true);
      const b = view.getInt32(i + 4, true);
      out.setInt32(at, a, true);
      out.setInt32(at + 4, b, true);
      const oddA = (a | (a - 0x23232323) | ((a ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      const oddB = (b | (b - 0x23232323) | ((b ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      if ((oddA | oddB) !== 0) {
        const plain =
          oddA !== 0 ? (31 - Math.clz32(oddA & -oddA)) >> 3 : 4 + ((31 - Math.clz32(oddB & -oddB)) >> 3);
        i += plain;
        at += plain;
        break;
      }
      i += 8;
      at += 8;
    }

    if (!(i + 3 <= end && (view.getInt32(i + 0, true) & 16777215) === 2108704)) {
      // An escape, a quote, a byte above 0x7f, or the literal's first byte without the rest of it.

      if (!known) {
        end = parser.lineEnd(value, end);
        if (end < 0) return -1;
        known = true;
      }
      at = parser.text(0, member, value, end);
      if (at < 0) {
        parser.next = end;
        return at;
      }
      i = parser.next;
    } else if (i - value === 1 && view.getUint8(value) === 45) at = member;
    else out.setUint8(at++, 34);
  }
  i += 3;
  {
    const member = at;
    const value = i;
    out.setInt32(at + 0, 1937056300, true);
    out.setInt32(at + 4, 975336037, true);
    out.setInt32(at + 8, 34, true);
    at += 9;

    while (i < end) {
      const a = view.getInt32(i, true);
      const b = view.getInt32(i + 4, true);
      out.setInt32(at, a, true);
      out.setInt32(at + 4, b, true);
      const oddA = (a | (a - 0x23232323) | ((a ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      const oddB = (b | (b - 0x23232323) | ((b ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      if ((oddA | oddB) !== 0) {
        const plain =
          oddA !== 0 ? (31 - Math.clz32(oddA & -oddA)) >> 3 : 4 + ((31 - Math.clz32(oddB & -oddB)) >> 3);
        i += plain;
        at += plain;
        break;
      }
      i += 8;
      at += 8;
    }

    if (!(i + 2 <= end && (view.getInt32(i + 0, true) & 65535) === 23328)) {
      // An escape, a quote, a byte above 0x7f, or the literal's first byte without the rest of it.

      if (!known) {
        end = parser.lineEnd(value, end);
        if (end < 0) return -1;
        known = true;
      }
      at = parser.text(1, member, value, end);
      if (at < 0) {
        parser.next = end;
        return at;
      }
      i = parser.next;
    } else if (i - value === 1 && view.getUint8(value) === 45) at = member;
    else out.setUint8(at++, 34);
  }
  i += 2;
  {
    if (i + 26 > end) return -1;
    const { clf } = parser;
    if (
      ((view.getInt32(i + 0, true) ^ clf[0]) |
        (view.getInt32(i + 4, true) ^ clf[1]) |
        (view.getInt32(i + 8, true) ^ clf[2]) |
        (view.getInt32(i + 12, true) ^ clf[3]) |
        (view.getInt32(i + 16, true) ^ clf[4]) |
        (view.getInt32(i + 20, true) ^ clf[5]) |
        (view.getInt32(i + 22, true) ^ clf[6])) !==
        0 &&
      !parser.readClf(i)
    )
      return -1;
    if (parser.movesByClf()) return -2;
    i += 26;
    out.setInt32(at + 0, 1769218604, true);
    out.setInt32(at + 4, 975332717, true);
    out.setInt32(at + 8, 34, true);
    at += 9;
    const text = parser.clfText;
    out.setInt32(at + 0, text[0], true);
    out.setInt32(at + 4, text[1], true);
    out.setInt32(at + 8, text[2], true);
    out.setInt32(at + 12, text[3], true);
    out.setInt32(at + 16, text[4], true);
    at += 20;
    out.setUint8(at++, 34);
    if (!(i + 3 <= end && (view.getInt32(i + 0, true) & 16777215) === 2236509)) return -1;
  }
  i += 3;
  {
    const request = i;
    const before = at;
    let plain = false;
    fast: {
      out.setInt32(at + 0, 1701650988, true);
      out.setInt32(at + 4, 1685022836, true);
      out.setInt32(at + 8, 2243106, true);
      at += 11;
      while (i < end) {
        const byte = view.getUint8(i);
        if (byte < 0x41 || byte > 0x5a) break;
        out.setUint8(at++, byte);
        i++;
      }
      if (i === request || i === end || view.getUint8(i) !== 32) break fast;
      out.setUint8(at++, 34);
      i++;
      const member = at;
      const value = i;
      out.setInt32(at + 0, 1634738732, true);
      out.setInt32(at + 4, 975333492, true);
      out.setInt32(at + 8, 34, true);
      at += 9;

      while (i < end) {
        const a = view.getInt32(i, true);
        const b = view.getInt32(i + 4, true);
        out.setInt32(at, a, true);
        out.setInt32(at + 4, b, true);
        const oddA = (a | (a - 0x23232323) | ((a ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
        const oddB = (b | (b - 0x23232323) | ((b ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
        if ((oddA | oddB) !== 0) {
          const plain =
            oddA !== 0 ? (31 - Math.clz32(oddA & -oddA)) >> 3 : 4 + ((31 - Math.clz32(oddB & -oddB)) >> 3);
          i += plain;
          at += plain;
          break;
        }
        i += 8;
        at += 8;
      }

      const after = i + 9;
      if (i === value || after > end) break fast;
      const name = view.getInt32(i + 1, true);
      const version = view.getInt32(i + 5, true);
      // Of the version's digits the upper halves count: what else begins with them needs no escape either.
      if (view.getUint8(i) !== 32 || name !== 1347703880 || (version & -251662081) !== 808333359) break fast;
      if (i - value === 1 && view.getUint8(value) === 45) at = member;
      else out.setUint8(at++, 34);
      out.setInt32(at + 0, 1919951404, true);
      out.setInt32(at + 4, 1668248687, true);
      out.setInt32(at + 8, 975334511, true);
      out.setInt32(at + 12, 34, true);
      at += 13;
      out.setInt32(at, name, true);
      out.setInt32(at + 4, version, true);
      at += 8;
      out.setUint8(at++, 34);
      i = after;
      plain = i + 2 <= end && (view.getInt32(i + 0, true) & 65535) === 8226;
    }
    if (!plain) {
      if (!known) {
        end = parser.lineEnd(request, end);
        if (end < 0) return -1;
        known = true;
      }
      at = parser.request(3, before, request, end);
      if (at < 0) {
        parser.next = end;
        return at;
      }
      i = parser.next;
    }
  }
  i += 2;
  {
    const member = at;
    const value = i;
    out.setInt32(at + 0, 1868767788, true);
    out.setInt32(at + 4, 975332708, true);
    out.setInt32(at + 8, 34, true);
    at += 9;
    at--; // A number has no quote.
    while (i < end) {
      const byte = view.getUint8(i);
      if (byte < 48 || byte > 57) break;
      out.setUint8(at++, byte);
      i++;
    }
    const digits = i - value;
    if (
      digits === 0 ||
      digits > 15 ||
      (digits > 1 && view.getUint8(value) === 48) ||
      !(i + 1 <= end && (view.getInt32(i + 0, true) & 255) === 32)
    ) {
      if (!known) {
        end = parser.lineEnd(value, end);
        if (end < 0) return -1;
        known = true;
      }
      at = parser.number(4, member, value, end);
      if (at < 0) {
        parser.next = end;
        return at;
      }
      i = parser.next;
    }
  }
  i += 1;
  {
    const member = at;
    const value = i;
    out.setInt32(at + 0, 1769153068, true);
    out.setInt32(at + 4, 975332730, true);
    out.setInt32(at + 8, 34, true);
    at += 9;
    at--; // A number has no quote.
    while (i < end) {
      const byte = view.getUint8(i);
      if (byte < 48 || byte > 57) break;
      out.setUint8(at++, byte);
      i++;
    }
    const digits = i - value;
    if (
      digits === 0 ||
      digits > 15 ||
      (digits > 1 && view.getUint8(value) === 48) ||
      !(i + 2 <= end && (view.getInt32(i + 0, true) & 65535) === 8736)
    ) {
      if (!known) {
        end = parser.lineEnd(value, end);
        if (end < 0) return -1;
        known = true;
      }
      at = parser.number(5, member, value, end);
      if (at < 0) {
        parser.next = end;
        return at;
      }
      i = parser.next;
    }
  }
  i += 2;
  {
    const member = at;
    const value = i;
    out.setInt32(at + 0, 1701978668, true);
    out.setInt32(at + 4, 1701995878, true);
    out.setInt32(at + 8, 574235250, true);
    at += 12;

    while (i < end) {
      const a = view.getInt32(i, true);
      const b = view.getInt32(i + 4, true);
      out.setInt32(at, a, true);
      out.setInt32(at + 4, b, true);
      const oddA = (a | ((a ^ 0x02020202) - 0x21212121) | ((a ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      const oddB = (b | ((b ^ 0x02020202) - 0x21212121) | ((b ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      if ((oddA | oddB) !== 0) {
        const plain =
          oddA !== 0 ? (31 - Math.clz32(oddA & -oddA)) >> 3 : 4 + ((31 - Math.clz32(oddB & -oddB)) >> 3);
        i += plain;
        at += plain;
        break;
      }
      i += 8;
      at += 8;
    }

    if (!(i + 3 <= end && (view.getInt32(i + 0, true) & 16777215) === 2236450)) {
      // An escape, a quote, a byte above 0x7f, or the literal's first byte without the rest of it.

      if (!known) {
        end = parser.lineEnd(value, end);
        if (end < 0) return -1;
        known = true;
      }
      at = parser.text(6, member, value, end);
      if (at < 0) {
        parser.next = end;
        return at;
      }
      i = parser.next;
    } else if (i - value === 1 && view.getUint8(value) === 45) at = member;
    else out.setUint8(at++, 34);
  }
  i += 3;
  {
    const member = at;
    const value = i;
    out.setInt32(at + 0, 1734418988, true);
    out.setInt32(at + 4, 578055781, true);
    out.setInt32(at + 8, 8762, true);
    at += 10;

    while (i < end) {
      const a = view.getInt32(i, true);
      const b = view.getInt32(i + 4, true);
      out.setInt32(at, a, true);
      out.setInt32(at + 4, b, true);
      const oddA = (a | ((a ^ 0x02020202) - 0x21212121) | ((a ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      const oddB = (b | ((b ^ 0x02020202) - 0x21212121) | ((b ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080;
      if ((oddA | oddB) !== 0) {
        const plain =
          oddA !== 0 ? (31 - Math.clz32(oddA & -oddA)) >> 3 : 4 + ((31 - Math.clz32(oddB & -oddB)) >> 3);
        i += plain;
        at += plain;
        break;
      }
      i += 8;
      at += 8;
    }

    if (!(i + 1 <= end && (view.getInt32(i + 0, true) & 255) === 34)) {
      // An escape, a quote, a byte above 0x7f, or the literal's first byte without the rest of it.

      if (!known) {
        end = parser.lineEnd(value, end);
        if (end < 0) return -1;
        known = true;
      }
      at = parser.text(7, member, value, end);
      if (at < 0) {
        parser.next = end;
        return at;
      }
      i = parser.next;
    } else if (i - value === 1 && view.getUint8(value) === 45) at = member;
    else out.setUint8(at++, 34);
  }
  i += 1;
  if (
    !(known
      ? i === end
      : i < end && (view.getUint8(i) === 10 || (i + 1 < end && view.getInt16(i, true) === 0x0a0d)))
  )
    return -1;
  parser.next = i;
  return at;
}

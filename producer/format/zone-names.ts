/** The offsets of abbreviated zone names, where a name has one meaning: RFC 5322 for North America, custom elsewhere. */

const HOURS: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  Z: 0,
  UT: 0,
  WET: 0,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
  AKST: -9,
  AKDT: -8,
  HST: -10,
  AST: -4,
  ADT: -3,
  BRT: -3,
  ART: -3,
  BST: 1,
  WEST: 1,
  CET: 1,
  CEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  TRT: 3,
  SAST: 2,
  WIB: 7,
  ICT: 7,
  SGT: 8,
  HKT: 8,
  PHT: 8,
  AWST: 8,
  JST: 9,
  KST: 9,
  ACST: 9.5,
  ACDT: 10.5,
  AEST: 10,
  AEDT: 11,
  NZST: 12,
  NZDT: 13,
};

/** Minutes that a zone is ahead of UTC; NaN for a name that is not known or means several zones, such as IST. */
export function zoneMinutes(text: string): number {
  const offset = /^([+-])(\d{2})(?::?(\d{2}))?$/.exec(text);
  if (offset) return (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0));
  return (HOURS[text.toUpperCase()] ?? Number.NaN) * 60;
}

/**
 * CRC-32 of zip and PNG (ISO 3309, reflected polynomial 0xedb88320), computed four bytes at a time
 * with the slicing method that zlib uses.
 */
const tables = Array.from({ length: 4 }, () => new Uint32Array(256));

const table = (index: number): Uint32Array => tables[index] ?? new Uint32Array(256);
const table0 = table(0);
const table1 = table(1);
const table2 = table(2);
const table3 = table(3);

for (let n = 0; n < 256; n++) {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  table0[n] = crc;
}
for (let n = 0; n < 256; n++) {
  let crc = table0[n] ?? 0;
  for (let index = 1; index < 4; index++) {
    crc = (table0[crc & 255] ?? 0) ^ (crc >>> 8);
    table(index)[n] = crc;
  }
}

/** The checksum as an unsigned 32-bit integer. */
export function crc32(bytes: Uint8Array): number {
  const wholeWords = bytes.length & ~3;
  let crc = -1;
  let i = 0;
  for (; i < wholeWords; i += 4) {
    crc ^=
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    crc =
      (table3[crc & 255] ?? 0) ^
      (table2[(crc >>> 8) & 255] ?? 0) ^
      (table1[(crc >>> 16) & 255] ?? 0) ^
      (table0[crc >>> 24] ?? 0);
  }
  for (; i < bytes.length; i++) crc = (table0[(crc ^ (bytes[i] ?? 0)) & 255] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

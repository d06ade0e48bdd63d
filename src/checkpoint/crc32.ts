/**
 * CRC-32 as zip and PNG have it (ISO 3309, polynomial 0xedb88320), four bytes at a time (slicing,
 * as zlib does).
 */
const tables = Array.from({ length: 4 }, () => new Uint32Array(256));

const table = (k: number): Uint32Array => tables[k] ?? new Uint32Array(256);
const [t0, t1, t2, t3] = [table(0), table(1), table(2), table(3)];

for (let n = 0; n < 256; n++) {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  t0[n] = c;
}
for (let n = 0; n < 256; n++) {
  for (let k = 1, c = t0[n] ?? 0; k < 4; k++) {
    c = (t0[c & 255] ?? 0) ^ (c >>> 8);
    table(k)[n] = c;
  }
}

export function crc32(bytes: Uint8Array): number {
  const whole = bytes.length & ~3;
  let c = -1;
  let i = 0;
  for (; i < whole; i += 4) {
    c ^=
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    c =
      (t3[c & 255] ?? 0) ^
      (t2[(c >>> 8) & 255] ?? 0) ^
      (t1[(c >>> 16) & 255] ?? 0) ^
      (t0[c >>> 24] ?? 0);
  }
  for (; i < bytes.length; i++) c = (t0[(c ^ (bytes[i] ?? 0)) & 255] ?? 0) ^ (c >>> 8);
  return ~c >>> 0;
}

/** Keys of contents, so that two files of one name and size are told apart. */

const keys = new WeakMap<object, string>();

/** Two FNV-1a hashes with different offsets, 64 bits together. */
class Hash {
  #first = 0x811c9dc5;
  #second = 0x9e3779b9;

  add(word: number): void {
    this.#first = Math.imul(this.#first ^ word, 0x01000193);
    this.#second = Math.imul(this.#second ^ word, 0x01000193);
    // Moves high bits down: a product alone never lets them change the low ones.
    this.#second ^= this.#second >>> 15;
  }

  toString(): string {
    return `${(this.#first >>> 0).toString(36)}-${(this.#second >>> 0).toString(36)}`;
  }
}

/** The key of some bytes; it is computed once for each array. */
export function bytesKey(bytes: Uint8Array): string {
  return cached(bytes, () => {
    const hash = new Hash();
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, bytes.length >>> 2);
    for (const word of words) hash.add(word);
    for (const byte of bytes.subarray(words.length * 4)) hash.add(byte);
    return `${bytes.length}-${hash.toString()}`;
  });
}

/** The key of a tokenizer.json; it is computed once for each object. */
export function jsonKey(file: { json: string }): string {
  return cached(file, () => {
    const hash = new Hash();
    for (let i = 0; i < file.json.length; i++) hash.add(file.json.charCodeAt(i));
    return `${file.json.length}-${hash.toString()}`;
  });
}

function cached(key: object, compute: () => string): string {
  const known = keys.get(key);
  if (known !== undefined) return known;
  const made = compute();
  keys.set(key, made);
  return made;
}

/** The arrays of a network, as they are in the page. */

/**
 * @typedef {[name: string, kind: "float32" | "float64" | "int8" | "uint8", length: number]} Described
 * @typedef {Record<string, Float32Array | Float64Array | Uint8Array>} Arrays
 */

const BYTES = { float32: 4, float64: 8, int8: 1, uint8: 1 };

/**
 * The bytes that base64 of a zlib stream holds.
 * @param {string} text
 * @returns {Promise<ArrayBuffer>}
 */
export async function inflated(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let k = 0; k < bytes.length; ++k) bytes[k] = letters.charCodeAt(k);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/**
 * Arrays one behind the other, those of float32 first. Of these, the first bytes of all come first, then the second
 * bytes, and so on, which are shorter when compressed. Weights in int8 have a scale for each column.
 * @param {ArrayBuffer} buffer
 * @param {Described[]} described
 * @returns {Arrays}
 */
export function arraysOf(buffer, described) {
  const bytes = new Uint8Array(buffer);
  const count = described.reduce((sum, [, kind, length]) => sum + (kind === "float32" ? length : 0), 0);
  const floats = new Uint8Array(4 * count);
  for (let k = 0; k < floats.length; ++k) floats[k] = bytes[(k % 4) * count + (k >> 2)];
  /** @type {Arrays} */
  const arrays = {};
  let first = 0;
  for (const [name, kind, length] of described) {
    if (kind === "float32") arrays[name] = new Float32Array(floats.buffer, first, length);
    else if (kind === "float64") arrays[name] = new Float64Array(buffer.slice(first, first + 8 * length));
    else if (kind === "uint8") arrays[name] = new Uint8Array(buffer, first, length);
    else {
      const whole = new Int8Array(buffer, first, length), scales = arrays[`${name}_scales`], found = new Float32Array(length);
      for (let k = 0; k < length; ++k) found[k] = whole[k] * scales[k % scales.length];
      arrays[name] = found;
    }
    first += length * BYTES[kind];
  }
  return arrays;
}

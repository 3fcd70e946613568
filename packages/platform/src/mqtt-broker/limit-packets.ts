// Cuts off whoever announces a packet over the limit: the broker's parser would otherwise collect up to 256 MiB of it.
import type { Duplex } from 'node:stream';

/** False from the first packet on that is too large, or has no length. */
export function createPacketScanner(limit: number): (chunk: Uint8Array) => boolean {
  /** Bytes of the packet in hand that are still to come; undefined: its head is being read. */
  let rest: number | undefined;
  let head = 0;
  let length = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (rest !== undefined && rest > 0) {
        const skipped = Math.min(rest, chunk.length - at);
        at += skipped;
        rest -= skipped;
        if (rest > 0) return true;
        [rest, head, length] = [undefined, 0, 0];
        continue;
      }
      const byte = chunk[at++]!;
      head += 1;
      if (head === 1) continue;
      // One to four digits to the base of 128, the smallest first; the top bit says that there are more.
      length += (byte & 0x7f) * 128 ** (head - 2);
      if (length > limit || (head === 5 && byte >= 0x80)) return false;
      if (byte >= 0x80) continue;
      if (length === 0) [head, length] = [0, 0];
      else rest = length;
    }
    return true;
  };
}

/** The broker pulls with `read`, so that is where each byte passes. */
export function limitPackets(stream: Duplex, limit: number): void {
  const isWithin = createPacketScanner(limit);
  const read = stream.read.bind(stream);
  stream.read = (size?: number): unknown => {
    const chunk = read(size) as Uint8Array | null;
    if (chunk === null || isWithin(chunk)) return chunk;
    stream.destroy(new Error(`a packet over ${limit} bytes`));
    return null;
  };
}

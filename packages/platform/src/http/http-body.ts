// Reading bodies, whole and bounded or piece by piece.
import type { Readable } from 'node:stream';
import { httpErrors } from '@kedge/core/ports';

/** What a caller that names no limit gets. */
export const defaultBodyLimit = 64 * 1024 * 1024;

/** Reads to the end; throws HTTP_BODY_TOO_LARGE over `limit` and leaves the stream open, so that it can be answered. */
export async function readWhole(
  stream: Readable,
  limit: number,
  announced: string | undefined,
  toError: (error: unknown) => unknown,
): Promise<Buffer> {
  // The announced length spares us from receiving what we would throw away.
  if (announced !== undefined && Number(announced) > limit) throw httpErrors.BODY_TOO_LARGE({ limit });
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw httpErrors.BODY_TOO_LARGE({ limit });
      chunks.push(chunk);
    }
  } catch (error) {
    throw httpErrors.BODY_TOO_LARGE.is(error) ? error : toError(error);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}

/** Header fields as Node gives them, with repeated fields joined. */
export function plainHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    // HTTP/2 pseudo fields are not headers.
    if (value === undefined || name.startsWith(':')) continue;
    plain[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return plain;
}

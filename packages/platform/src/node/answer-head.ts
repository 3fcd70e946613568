// The head of an answer over HTTP/1.1 (RFC 9112, sections 2 to 5), for the one request that is made without node:http: the upgrade
// to a WebSocket.

export interface AnswerHead {
  readonly status: number;
  /** Names in lower case; values of repeated ones joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
}

const limit = 32 * 1024;

/**
 * Takes chunks until the head is whole; `rest`: bytes behind it. Answers that only announce one (1xx, save 101) are passed over.
 * Throws an error that says what is wrong.
 */
export function createHeadReader(): {
  push(chunk: Buffer): { readonly head: AnswerHead; readonly rest: Buffer } | undefined;
} {
  let bytes: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      for (;;) {
        const end = bytes.indexOf('\r\n\r\n');
        if (end < 0 ? bytes.length > limit : end > limit)
          throw new Error(`the head of its answer is over ${limit} bytes`);
        if (end < 0) {
          if (!'HTTP/1.'.startsWith(bytes.toString('latin1', 0, 7))) throw new Error('it does not speak HTTP/1.1');
          return undefined;
        }
        const head = readHead(bytes.toString('latin1', 0, end));
        const rest = bytes.subarray(end + 4);
        if (head.status === 101 || head.status >= 200) return { head, rest };
        bytes = rest;
      }
    },
  };
}

function readHead(text: string): AnswerHead {
  const [first, ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(first!)?.[1];
  if (status === undefined) throw new Error('it does not speak HTTP/1.1');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error('a line in the head of its answer is no header');
    const key = name.toLowerCase();
    headers[key] = Object.hasOwn(headers, key) ? `${headers[key]}, ${value}` : value;
  }
  return { status: Number(status), headers };
}

/** Whether all of the body that goes with `head` is in `bytes`; one without a length ends with its connection. */
export function isWholeBody({ headers }: AnswerHead, bytes: Buffer): boolean {
  if (isChunked(headers)) return bytes.includes('\r\n0\r\n') || bytes.subarray(0, 3).equals(Buffer.from('0\r\n'));
  const length = headers['content-length'];
  return length !== undefined && bytes.length >= Number(length);
}

/** The text of a body, as much of it as `bytes` holds. */
export function bodyText({ headers }: AnswerHead, bytes: Buffer): string {
  if (!isChunked(headers)) return bytes.toString('utf8', 0, Number(headers['content-length'] ?? bytes.length));
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const line = bytes.indexOf('\r\n', at);
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (!(size > 0)) break;
    pieces.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(pieces).toString('utf8');
}

const isChunked = (headers: AnswerHead['headers']): boolean =>
  headers['transfer-encoding']?.toLowerCase().includes('chunked') === true;

// Writing answers: headers that every answer has, JSON or YAML, gzip for big ones, and bodies that are produced piece by piece.
import type { Headers, ResponseStream, ServerRequest, ServerResponse } from '@kedge/core/ports';
import { seconds, type Clock, withTimeout } from '@kedge/core/time';
import type { Status } from '@kedge/model/k8s';
import { kubeApiErrors } from './kube-api-errors.ts';
import type { Accepted } from './negotiate.ts';

/** Compresses one piece; several results one after the other are still one valid gzip body. */
export type Gzip = (data: string) => Promise<Uint8Array>;

export interface AnswerDeps {
  readonly clock: Clock;
  readonly gzip?: Gzip | undefined;
}

export interface Answer {
  warn(text: string): void;
  value(
    status: number,
    value: unknown,
    accepted?: Pick<Accepted, 'encoding' | 'pretty'>,
    headers?: Headers,
  ): Promise<void>;
  /** JSON text, sent as it is. */
  json(status: number, text: string, headers?: Headers): Promise<void>;
  plain(status: number, text: string): void;
  bytes(status: number, contentType: string, body: Uint8Array, headers?: Headers): void;
  /** 304: the client's copy is right. It carries no content type, or a cache would take that over. */
  notModified(headers: Headers): void;
  status(status: Status, accepted?: Pick<Accepted, 'encoding' | 'pretty'>): Promise<void>;
  /** JSON text in pieces: in one go when it is small, else as it comes. */
  pieces(status: number, pieces: AsyncIterable<string>): Promise<void>;
  /** Bytes as they come, each sent before the next is asked for. */
  chunks(contentType: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** An answer without an end. */
  stream(contentType: string): ResponseStream;
  /** True once a status line is out: it is too late for another answer. */
  readonly isSent: boolean;
}

const gzipFrom = 128 * 1024;
/** What a body in pieces is sent in. Twice as much would not be short-lived memory to the engine any more. */
const pieceSize = 64 * 1024;
/** A client that takes nothing for this long is gone. */
const patience = seconds(30);

/** Throws KUBEAPI_CLIENT_STALLED. */
export async function writePatiently(clock: Clock, stream: ResponseStream, chunk: string | Uint8Array): Promise<void> {
  if (stream.write(chunk)) return;
  await withTimeout(clock, 'a slow client to read', patience, stream.drained(), () =>
    kubeApiErrors.CLIENT_STALLED({ seconds: patience / 1_000 }),
  );
}

export function createAnswer(request: ServerRequest, response: ServerResponse, deps: AnswerDeps): Answer {
  const warnings = new Set<string>();
  let isSent = false;
  const takesGzip = deps.gzip !== undefined && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');

  const heads = (contentType: string, more: Headers = {}): Headers => ({
    'content-type': contentType,
    'cache-control': 'no-cache, private',
    ...(warnings.size ? { warning: [...warnings].map((text) => `299 - "${quote(text)}"`).join(', ') } : {}),
    ...more,
  });
  const send = async (status: number, contentType: string, text: string, more?: Headers): Promise<void> => {
    isSent = true;
    if (takesGzip && text.length >= gzipFrom) {
      response.send(status, heads(contentType, { ...more, 'content-encoding': 'gzip' }), await deps.gzip!(text));
    } else response.send(status, heads(contentType, more), text);
  };
  const value: Answer['value'] = async (status, body, accepted, headers) => {
    if (accepted?.encoding === 'yaml') {
      const { stringify } = await import('yaml');
      return send(
        status,
        'application/yaml',
        stringify(body, { version: '1.1', aliasDuplicateObjects: false }),
        headers,
      );
    }
    const text = accepted?.pretty ? `${JSON.stringify(body, undefined, 2)}\n` : `${JSON.stringify(body)}\n`;
    return send(status, 'application/json', text, headers);
  };

  return {
    get isSent() {
      return isSent;
    },
    warn: (text) => warnings.add(text.slice(0, 1_024)),
    value,
    json: (status, text, headers) => send(status, 'application/json', text, headers),
    bytes(status, contentType, body, headers) {
      isSent = true;
      response.send(status, heads(contentType, headers), body);
    },
    plain(status, text) {
      isSent = true;
      response.send(status, { ...heads('text/plain; charset=utf-8'), 'x-content-type-options': 'nosniff' }, text);
    },
    notModified(headers) {
      isSent = true;
      response.send(304, headers);
    },
    status: (status, accepted) => {
      const retry = status.details?.retryAfterSeconds;
      return value(status.code ?? 500, status, accepted, retry ? { 'retry-after': String(retry) } : {});
    },
    async pieces(status, pieces) {
      let held = '';
      let stream: ResponseStream | undefined;
      const flush = async (): Promise<void> => {
        if (!stream) {
          isSent = true;
          stream = response.stream(status, heads('application/json', takesGzip ? { 'content-encoding': 'gzip' } : {}));
        }
        const chunk = held;
        held = '';
        await writePatiently(deps.clock, stream, takesGzip ? await deps.gzip!(chunk) : chunk);
      };
      try {
        for await (const piece of pieces) {
          held += piece;
          if (held.length >= pieceSize) await flush();
        }
        if (!stream) return await send(status, 'application/json', held);
        if (held) await flush();
        stream.end();
      } catch (error) {
        // Half an answer must not look like a whole one.
        stream?.destroy();
        throw error;
      }
    },
    async chunks(contentType, chunks) {
      isSent = true;
      const stream = response.stream(200, heads(contentType));
      try {
        for await (const chunk of chunks) await writePatiently(deps.clock, stream, chunk);
        stream.end();
      } catch (error) {
        stream.destroy();
        throw error;
      }
    },
    stream(contentType) {
      isSent = true;
      return response.stream(200, heads(contentType));
    },
  };
}

const quote = (text: string): string => text.replace(/[\r\n]+/g, ' ').replace(/[\\"]/g, '\\$&');

// One request and its answer, as handlers see them, and all that are in work on one server.
import type { IncomingMessage, ServerResponse as NodeResponse } from 'node:http';
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Writable } from 'node:stream';
import { codeOf } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import {
  type Headers,
  type HttpHandler,
  httpErrors,
  type ResponseStream,
  type ServerRequest,
  type ServerResponse,
} from '@kedge/core/ports';
import type { Duration } from '@kedge/core/time';
import { plainHeaders, readWhole } from './http-body.ts';
import { peerOf } from './peer-certificate.ts';

export interface Exchanges {
  readonly serve: (incoming: IncomingMessage, outgoing: NodeResponse) => void;
  /** Tells every handler in work to end, and keeps connections from being used again. */
  stop(): void;
}

export function createExchanges(deps: { handler: HttpHandler | undefined; log: Log; stall: Duration }): Exchanges {
  const { handler, log, stall } = deps;
  const inWork = new Map<NodeResponse, AbortController>();
  let stopped = false;

  async function serve(incoming: IncomingMessage, outgoing: NodeResponse): Promise<void> {
    const stop = new AbortController();
    inWork.set(outgoing, stop);
    const sink = sinkOf(outgoing);
    const response = toServerResponse(incoming, outgoing);
    sink.once('close', () => {
      inWork.delete(outgoing);
      if (!response.ended || wasCutShort(sink)) stop.abort(httpErrors.CLOSED({ what: 'the connection of the client' }));
    });
    // Reading too slowly is fine, not reading at all is not.
    outgoing.setTimeout(stall, () => {
      if (sink.writableLength > 0) cut(outgoing);
    });
    if (stopped) outgoing.shouldKeepAlive = false;
    try {
      if (!handler) throw new Error('this server only takes WebSockets');
      await handler(toServerRequest(incoming, stop.signal), response);
    } catch (error) {
      answerFailure(incoming, outgoing, error);
      if (!stop.signal.aborted && !httpErrors.BODY_TOO_LARGE.is(error)) {
        log.warn('request failed', { method: incoming.method, path: pathOf(incoming.url), err: error });
      }
    }
  }

  return {
    serve: (incoming, outgoing) => void serve(incoming, outgoing),
    stop() {
      stopped = true;
      for (const [outgoing, stop] of inWork) {
        outgoing.shouldKeepAlive = false;
        stop.abort(httpErrors.CLOSED({ what: 'the server' }));
      }
    },
  };
}

/** What the handler could not answer. The peer learns the code, not the details. */
function answerFailure(incoming: IncomingMessage, outgoing: NodeResponse, error: unknown): void {
  if (outgoing.headersSent) return cut(outgoing);
  const tooLarge = httpErrors.BODY_TOO_LARGE.is(error);
  const say = tooLarge ? error.message : `internal error${codeOf(error) ? ` [${codeOf(error)}]` : ''}`;
  // The rest of the request is not read: the connection cannot carry another one.
  if (!incoming.complete) outgoing.shouldKeepAlive = false;
  outgoing.writeHead(tooLarge ? 413 : 500, { 'content-type': 'text/plain; charset=utf-8' });
  outgoing.end(`${say}\n`);
}

export function toServerRequest(incoming: IncomingMessage, signal: AbortSignal): ServerRequest {
  const url = incoming.url ?? '/';
  const path = pathOf(url);
  return {
    method: incoming.method ?? 'GET',
    path,
    query: new URLSearchParams(url.slice(path.length)),
    headers: plainHeaders(incoming.headers),
    remoteAddress: incoming.socket.remoteAddress ?? '',
    peer: peerOf(incoming.socket, sessionOf(incoming)),
    signal,
    body: (limit) =>
      readWhole(incoming, limit, incoming.headers['content-length'], (error) =>
        httpErrors.CONNECTION_LOST({ url, reason: error instanceof Error ? error.message : String(error) }, error),
      ),
  };
}

/** Without the query, which may hold what is not for logs. */
export function pathOf(url = '/'): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** `ended`: all of the answer was handed over, though perhaps not taken yet. */
function toServerResponse(incoming: IncomingMessage, outgoing: NodeResponse): ServerResponse & { ended: boolean } {
  const response = {
    ended: false,
    send(status: number, headers: Headers, body?: string | Uint8Array) {
      response.ended = true;
      if (!incoming.complete && hasBody(incoming)) outgoing.shouldKeepAlive = false;
      outgoing.writeHead(status, withLength(status, headers, body));
      outgoing.end(body);
    },
    stream(status: number, headers: Headers) {
      outgoing.writeHead(status, headers);
      // The peer waits for the head, also while there is nothing to write yet.
      outgoing.flushHeaders();
      return toStream(outgoing, () => (response.ended = true));
    },
  };
  return response;
}

/** Without a length Node would send an empty answer in chunks. These statuses have no body, and so no length. */
function withLength(status: number, headers: Headers, body: string | Uint8Array | undefined): Headers {
  if (body === undefined && (status < 200 || status === 204 || status === 304)) return headers;
  if (body === undefined && Object.keys(headers).some((name) => name.toLowerCase() === 'content-length'))
    return headers;
  return { ...headers, 'content-length': String(body === undefined ? 0 : Buffer.byteLength(body)) };
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

function toStream(outgoing: NodeResponse, onEnd: () => void): ResponseStream {
  const sink = sinkOf(outgoing);
  return {
    // After the peer has gone writes are dropped; the request's signal says so.
    write: (chunk) => sink.destroyed || sink.write(chunk),
    get bufferedBytes() {
      return sink.writableLength;
    },
    drained() {
      if (sink.destroyed || !sink.writableNeedDrain) return Promise.resolve();
      return new Promise((resolve) => {
        const settle = (): void => {
          sink.off('drain', settle);
          sink.off('close', settle);
          resolve();
        };
        sink.on('drain', settle);
        sink.on('close', settle);
      });
    },
    end() {
      onEnd();
      sink.end();
    },
    destroy: () => cut(outgoing),
  };
}

/** What bytes are written to: over HTTP/2 a response is only a face of its stream. */
const sinkOf = (outgoing: NodeResponse): Writable =>
  'stream' in outgoing ? (outgoing as unknown as Http2ServerResponse).stream : outgoing;

/**
 * Over HTTP/2 a stream that was reset counts as finished: its code tells. A client that takes its leave may give code 0, so
 * an answer that was never ended was cut short whatever the code.
 */
const wasCutShort = (sink: Writable): boolean =>
  'rstCode' in sink ? (sink as ServerHttp2Stream).rstCode !== 0 : !sink.writableFinished;

/** Half an answer must not look like a whole one: over HTTP/2 that takes an error code. */
function cut(outgoing: NodeResponse): void {
  if ('stream' in outgoing) (outgoing as unknown as Http2ServerResponse).stream.close(internalError);
  else outgoing.destroy();
}

/** INTERNAL_ERROR of RFC 9113, section 7. */
const internalError = 2;

/** What all requests of one HTTP/2 connection share; undefined for HTTP/1.1, whose socket is one thing. */
const sessionOf = (incoming: IncomingMessage): object | undefined =>
  'stream' in incoming ? (incoming.stream as ServerHttp2Stream).session : undefined;

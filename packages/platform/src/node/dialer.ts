// Dials WebSockets over TLS with a client certificate.
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import { abortError } from '@kedge/core/flow';
import { type Dialer, type DialOptions, httpErrors, type Socket } from '@kedge/core/ports';
import { WebSocket } from 'ws';
import { connectionError } from './connection-error.ts';
import { plainHeaders } from './http-body.ts';
import { toSocket, webSocketOptions } from './web-socket.ts';

/** How much of a refusal's body ends up in the error. */
const refusalLimit = 512;

export function createDialer(): Dialer {
  return { dial };
}

function dial(options: DialOptions): ReturnType<Dialer['dial']> {
  const { url, signal, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal));
    const ws = open(options);
    if (ws instanceof Error) return reject(ws);
    let tcp: TcpSocket | undefined;
    let headers: Record<string, string> = {};
    const socket: Socket = toSocket(ws, () => tcp, 'client');

    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: Error): void => {
      finish();
      reject(error);
      ws.terminate();
    };
    const onAbort = (): void => fail(abortError(signal!));
    const timer = setTimeout(() => fail(httpErrors.TIMEOUT({ url, waitedFor: 'WebSocket', ms: timeoutMs })), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });

    ws.once('upgrade', (answer) => {
      tcp = answer.socket;
      headers = plainHeaders(answer.headers);
    });
    ws.once('open', () => {
      finish();
      resolve({ socket, headers });
    });
    ws.once('unexpected-response', (request, answer) => {
      void readRefusal(request, answer).then((say) =>
        fail(httpErrors.UPGRADE_REFUSED({ url, status: answer.statusCode ?? 0, say })),
      );
    });
    ws.once('error', (error) => fail(connectionError(url, error, false)));
  });
}

/** The constructor throws on a bad URL or an unreadable certificate. */
function open({ url, headers, tls, maxFrameBytes, timeoutMs }: DialOptions): WebSocket | Error {
  const scheme = URL.canParse(url) ? new URL(url).protocol : '';
  if (scheme !== 'ws:' && scheme !== 'wss:') return httpErrors.BAD_URL({ url });
  try {
    return new WebSocket(url, {
      ...webSocketOptions,
      headers: { ...headers },
      maxPayload: maxFrameBytes,
      handshakeTimeout: timeoutMs,
      followRedirects: false,
      ...(tls
        ? {
            ca: tls.ca,
            minVersion: 'TLSv1.2' as const,
            ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
            ...(tls.key === undefined ? {} : { key: tls.key }),
          }
        : {}),
    });
  } catch (error) {
    return httpErrors.BAD_TLS({ reason: error instanceof Error ? error.message : String(error) }, error);
  }
}

async function readRefusal(request: ClientRequest, answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  try {
    for await (const chunk of answer as AsyncIterable<string>) {
      text += chunk;
      if (text.length >= refusalLimit) break;
    }
  } catch {
    // The status alone says enough.
  }
  request.destroy();
  return text.slice(0, refusalLimit).trim();
}

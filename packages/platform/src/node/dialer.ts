// Dials WebSockets (RFC 6455, section 4.1), over TLS with a client certificate, on a plain connection: neither node:http nor a
// library, which an edge would load for this alone.
import { createHash, randomBytes } from 'node:crypto';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { abortError } from '@kedge/core/flow';
import { type Dialer, type DialOptions, httpErrors, type Socket } from '@kedge/core/ports';
import { type AnswerHead, bodyText, createHeadReader, isWholeBody } from './answer-head.ts';
import { createClientWebSocket } from './client-web-socket.ts';
import { connectionError } from './connection-error.ts';

/** How much of a refusal's body is read, and how much of it ends up in the error. */
const refusalLimit = 512;

export function createDialer(): Dialer {
  return { dial };
}

function dial(options: DialOptions): ReturnType<Dialer['dial']> {
  const { signal, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal));
    const asked = ask(options);
    if (asked instanceof Error) return reject(asked);
    const { connection, key } = asked;
    const reader = createHeadReader();
    let refusal: { readonly head: AnswerHead; body: Buffer } | undefined;

    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      connection.off('data', onData).off('end', onEnd).off('error', onError).off('close', onEnd);
    };
    const fail = (error: Error): void => {
      finish();
      connection.on('error', () => undefined);
      connection.destroy();
      reject(error);
    };
    const succeed = (opened: { socket: Socket; headers: Readonly<Record<string, string>> }): void => {
      finish();
      resolve(opened);
    };
    const failed = (reason: string): void => fail(httpErrors.CONNECT_FAILED({ url: options.url, reason }));
    const refuse = ({ head, body }: { head: AnswerHead; body: Buffer }): void => {
      const say = bodyText(head, body).slice(0, refusalLimit).trim();
      fail(httpErrors.UPGRADE_REFUSED({ url: options.url, status: head.status, say }));
    };
    const onAbort = (): void => fail(abortError(signal!));
    const onEnd = (): void => (refusal ? refuse(refusal) : failed('closed by the peer'));
    const onError = (error: NodeJS.ErrnoException): void =>
      refusal ? refuse(refusal) : fail(connectionError(options.url, error, false));
    const onTime = (): void =>
      refusal ? refuse(refusal) : fail(httpErrors.TIMEOUT({ url: options.url, waitedFor: 'WebSocket', ms: timeoutMs }));

    const onData = (chunk: Buffer): void => {
      if (refusal) refusal.body = Buffer.concat([refusal.body, chunk]);
      else {
        const answer = readHead(chunk);
        if (!answer) return;
        const { head, rest } = answer;
        if (head.status === 101) {
          const reason = whyNotUpgraded(head, key);
          if (reason !== undefined) return failed(reason);
          return succeed({
            socket: createClientWebSocket(connection, rest, options.maxFrameBytes),
            headers: head.headers,
          });
        }
        refusal = { head, body: rest };
      }
      if (refusal.body.length >= refusalLimit || isWholeBody(refusal.head, refusal.body)) refuse(refusal);
    };
    const readHead = (chunk: Buffer): ReturnType<typeof reader.push> => {
      try {
        return reader.push(chunk);
      } catch (error) {
        failed((error as Error).message);
        return undefined;
      }
    };

    const timer = setTimeout(onTime, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    connection.on('data', onData).once('end', onEnd).once('error', onError).once('close', onEnd);
    connection.once(options.url.startsWith('wss:') ? 'secureConnect' : 'connect', () => {
      connection.write(asked.head, 'latin1');
    });
  });
}

interface Asked {
  readonly connection: net.Socket;
  /** The request, and the key in it whose hash has to come back. */
  readonly head: string;
  readonly key: string;
}

/** A bad URL, an unreadable certificate or a header that is none fails before there is a connection. */
function ask(options: DialOptions): Asked | Error {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url?.protocol !== 'ws:' && url?.protocol !== 'wss:') return httpErrors.BAD_URL({ url: options.url });
  const key = randomBytes(16).toString('base64');
  const headers = {
    host: url.host,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
    ...options.headers,
  };
  const lines: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      return httpErrors.BAD_HEADER({ url: options.url, name });
    lines.push(`${name}: ${value}`);
  }
  const head = `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  const isSecure = url.protocol === 'wss:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const to = { host, port: Number(url.port || (isSecure ? 443 : 80)) };
  try {
    const connection = isSecure ? tls.connect({ ...to, ...secureOptions(host, options.tls) }) : net.connect(to);
    connection.setNoDelay(true);
    return { connection, head, key };
  } catch (error) {
    return httpErrors.BAD_TLS({ reason: error instanceof Error ? error.message : String(error) }, error);
  }
}

const secureOptions = (host: string, files: DialOptions['tls']): tls.ConnectionOptions => ({
  // A name that is an address is not announced (RFC 6066, section 3); the certificate is still compared with it.
  ...(net.isIP(host) === 0 ? { servername: host } : {}),
  ALPNProtocols: ['http/1.1'],
  minVersion: 'TLSv1.2',
  ...(files ? { ca: files.ca } : {}),
  ...(files?.certificate === undefined ? {} : { cert: files.certificate }),
  ...(files?.key === undefined ? {} : { key: files.key }),
});

/** RFC 6455, section 1.3. */
const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

function whyNotUpgraded({ headers }: AnswerHead, key: string): string | undefined {
  if (headers['upgrade']?.toLowerCase() !== 'websocket') return 'it switches to something else than a WebSocket';
  if (headers['sec-websocket-accept'] !== acceptOf(key)) return 'it answers a request for a WebSocket that is not ours';
  if (headers['sec-websocket-extensions'] !== undefined) return 'it uses an extension nobody asked for';
  if (headers['sec-websocket-protocol'] !== undefined) return 'it uses a subprotocol nobody asked for';
  return undefined;
}

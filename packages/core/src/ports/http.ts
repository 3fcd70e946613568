// HTTP as ports: a client, and what a request handler sees of a server. Implemented by the platform package.

import type { Subject } from './keys.ts';

export type Headers = Readonly<Record<string, string>>;

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  /** An array is sent as one header line per value. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Who has to answer, where the URL's host does not tell; HTTPS only. */
  readonly server?: ExpectedServer;
}

/** A server that is known by its certificate. The chain of that is verified in any case. */
export interface ExpectedServer {
  /** Connections to others are not used. */
  readonly name: string;
  /** Why this certificate is not that server's; `isForHost`: it is for the URL's host. */
  refuse(certificate: Subject, isForHost: boolean): string | undefined;
}

/** A body that is there holds its connection until it is read, or iterating over it is stopped. */
export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Headers;
  /** The whole body as UTF-8 text; throws HTTP_BODY_TOO_LARGE beyond `limit` bytes. */
  text(limit?: number): Promise<string>;
  bytes(limit?: number): Promise<Uint8Array>;
  /** The body as it arrives; stop iterating to hang up. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** Sends requests; carries its own TLS settings and keeps connections open. */
export interface HttpClient {
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** A verified client certificate of the peer. */
export interface PeerCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly serialNumber: string;
  readonly notAfter: number;
  /** DER. */
  readonly raw: Uint8Array;
}

export interface ServerRequest {
  readonly method: string;
  /** Path without query, as sent (still percent-encoded). */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Headers;
  readonly remoteAddress: string;
  /** Present when the peer showed a certificate of the configured CA. */
  readonly peer: PeerCertificate | undefined;
  /** Aborts when the peer goes away or the server stops. */
  readonly signal: AbortSignal;
  /** The whole body; throws HTTP_BODY_TOO_LARGE beyond `limit` bytes. */
  body(limit: number): Promise<Uint8Array>;
}

export interface ServerResponse {
  /** Sends a complete answer. */
  send(status: number, headers: Headers, body?: string | Uint8Array): void;
  /** Starts an answer that is written piece by piece. */
  stream(status: number, headers: Headers): ResponseStream;
}

export interface ResponseStream {
  /** False when the peer reads too slowly: bytes wait in memory until `drained`. */
  write(chunk: string | Uint8Array): boolean;
  readonly bufferedBytes: number;
  drained(): Promise<void>;
  end(): void;
  /** Cuts the connection. */
  destroy(): void;
}

/** Handles one request; a rejection becomes a 500 and a log line, never a crash. */
export type HttpHandler = (request: ServerRequest, response: ServerResponse) => Promise<void>;

export interface TlsFiles {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface ListenOptions {
  /** A path is a Unix socket, for the owner of this process alone; `port` counts for nothing then. */
  readonly address: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Plain HTTP when absent. */
  readonly tls?: TlsFiles & {
    /** PEM of the CA that client certificates must chain to. */
    readonly clientCa?: string;
    /** Also speaks HTTP/2 with clients that ask for it; a listener that takes WebSockets does not. */
    readonly http2?: boolean;
    /** `require`: no certificate, no connection. `request`: `peer` is undefined without one. */
    readonly clientAuth?: 'none' | 'request' | 'require';
  };
  readonly handler?: HttpHandler;
  /** Decides about a WebSocket upgrade; without it upgrades are refused. */
  readonly upgrade?: (request: ServerRequest) => UpgradeDecision;
}

export type UpgradeDecision =
  | {
      readonly accept: true;
      /** Extra headers of the 101 answer. */
      readonly headers?: Headers;
      readonly maxFrameBytes: number;
      /** The subprotocol to answer with, one of those the client offered; none when absent. */
      readonly protocol?: string;
      /** Called with the open socket before any frame can be missed. */
      readonly open: (socket: Socket) => void;
    }
  | { readonly accept: false; readonly status: number; readonly say: string };

export interface Listening {
  readonly address: string;
  readonly port: number;
  /** Replaces the serving certificate for new connections. */
  renew(tls: TlsFiles): void;
  close(): Promise<void>;
}

export interface HttpServers {
  /** Throws HTTP_PORT_TAKEN or HTTP_LISTEN_FAILED. */
  listen(options: ListenOptions): Promise<Listening>;
}

export interface Frame {
  readonly data: Uint8Array;
  readonly binary: boolean;
}

/** One WebSocket connection. Frames that arrive before `frames()` is iterated wait, up to a bound. */
export interface Socket {
  readonly remoteAddress: string;
  /** Resolves when handed to the operating system. */
  send(data: string | Uint8Array, options?: { binary?: boolean }): Promise<void>;
  frames(): AsyncIterable<Frame>;
  close(code?: number, reason?: string): void;
  /** Ends without the closing handshake. */
  terminate(): void;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Bytes sent and received on this connection, WebSocket payload and frame heads included. */
  readonly traffic: { readonly sent: number; readonly received: number };
  /** Grows with every byte that comes in, also within a frame: tells a slow peer from a dead one. */
  readonly arrived: number;
}

export interface DialOptions {
  readonly url: string;
  readonly headers: Headers;
  /** Our client certificate; none when absent. */
  readonly tls?: Partial<TlsFiles> & {
    /** PEM of the CA the server must chain to. */
    readonly ca: string;
  };
  readonly maxFrameBytes: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface Dialer {
  /** Opens a WebSocket; throws HTTP_UPGRADE_REFUSED with the status, or HTTP_CONNECT_FAILED. Returns the answer's headers too. */
  dial(options: DialOptions): Promise<{ readonly socket: Socket; readonly headers: Headers }>;
}

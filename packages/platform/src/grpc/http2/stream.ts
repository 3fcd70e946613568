// One request with its answer on a connection (RFC 9113, section 5): headers, then bytes under flow control, then the end, each way.
import { encodeHeaders, type HeaderFields, type Headers } from './hpack.ts';
import { type ErrorCode, errorName, flags, frameTypes } from './protocol.ts';

/** What a stream tells its user. After `closed` nothing comes any more. */
export interface StreamEvents {
  /** The head; on the client's side also the trailers. `last`: the peer sends nothing more. */
  headers(headers: Headers, last: boolean): void;
  data(bytes: Uint8Array): void;
  /** The peer has sent all of its bytes. Also told by `last`, for headers. */
  end(): void;
  /** Once, at the end of both sides; with why when that was early. */
  closed(why: StreamFault | undefined): void;
}

export interface StreamFault {
  readonly reason: string;
  readonly cause?: unknown;
}

/** What a stream needs of its connection. */
export interface StreamLink {
  write(type: number, flags: number, streamId: number, payload: Uint8Array): void;
  /** Takes so many bytes of what the connection may still send, at most `wanted`. */
  take(wanted: number): number;
  reset(streamId: number, code: ErrorCode): void;
  /** The peer may send so many more bytes on the stream. */
  allow(streamId: number, bytes: number): void;
  gone(stream: Http2Stream): void;
}

interface Outgoing {
  readonly bytes: Uint8Array;
  sent: number;
  readonly trailers: HeaderFields | undefined;
}

/** Bytes that the peer may send before it has to wait for us, per stream. */
export const receiveWindow = 256 * 1024;

export class Http2Stream {
  /** Zero until the connection has begun it. */
  id = 0;
  readonly #link: StreamLink;
  #events: StreamEvents | undefined;
  /** What we may still send, in bytes; below zero when the peer has lowered its settings. */
  sendWindow = 0;
  #mayReceive = receiveWindow;
  #taken = 0;
  #paused = false;
  #outgoing: Outgoing | undefined;
  #localEnded = false;
  #remoteEnded = false;
  #closed = false;

  constructor(link: StreamLink) {
    this.#link = link;
  }

  begin(id: number, sendWindow: number): void {
    this.id = id;
    this.sendWindow = sendWindow;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get remoteEnded(): boolean {
    return this.#remoteEnded;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  listen(events: StreamEvents): void {
    this.#events = events;
  }

  /** The head. `last`: without bytes. */
  sendHeaders(fields: HeaderFields, last = false): void {
    if (this.#closed || this.#localEnded) return;
    const end = last ? flags.endStream : 0;
    this.#link.write(frameTypes.headers, flags.endHeaders | end, this.id, encodeHeaders(fields));
    if (last) this.#endLocal();
  }

  /** All bytes there are, once, after the head; then trailers, if any, and the end. */
  sendData(bytes: Uint8Array, trailers?: HeaderFields): void {
    if (this.#closed || this.#localEnded || this.#outgoing) return;
    this.#outgoing = { bytes, sent: 0, trailers };
    this.flush();
  }

  /** As much as both windows let through. */
  flush(): void {
    const outgoing = this.#outgoing;
    if (!outgoing || this.#closed) return;
    const { bytes, trailers } = outgoing;
    while (outgoing.sent < bytes.length) {
      const size = this.#link.take(Math.min(this.sendWindow, bytes.length - outgoing.sent));
      if (size <= 0) return;
      this.sendWindow -= size;
      const part = bytes.subarray(outgoing.sent, (outgoing.sent += size));
      const isLast = outgoing.sent === bytes.length && trailers === undefined;
      this.#link.write(frameTypes.data, isLast ? flags.endStream : 0, this.id, part);
    }
    this.#outgoing = undefined;
    if (trailers) this.sendHeaders(trailers, true);
    else {
      if (bytes.length === 0) this.#link.write(frameTypes.data, flags.endStream, this.id, bytes);
      this.#endLocal();
    }
  }

  /** The peer is held back once its window is used up. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#giveBack();
  }

  /** Ends both sides now, and tells the peer unless it has ended too. `reason`: what the peer did wrong. */
  reset(code: ErrorCode, reason?: string): void {
    if (this.#closed) return;
    if (this.id !== 0) this.#link.reset(this.id, code);
    this.close(reason === undefined ? undefined : { reason: `${reason} (${code})` });
  }

  /** From here on, what the connection calls. */

  receiveHeaders(headers: Headers, last: boolean): void {
    if (this.#remoteEnded) return;
    if (last) this.#remoteEnded = true;
    this.#events?.headers(headers, last);
    this.#closeIfEnded();
  }

  /** `frameBytes` with padding; false when the peer may not send that much. */
  receiveData(bytes: Uint8Array, frameBytes: number, last: boolean): boolean {
    this.#mayReceive -= frameBytes;
    if (this.#mayReceive < 0) return false;
    this.#taken += frameBytes;
    if (last) this.#remoteEnded = true;
    if (bytes.length > 0) this.#events?.data(bytes);
    if (last) this.#events?.end();
    this.#giveBack();
    this.#closeIfEnded();
    return true;
  }

  receiveReset(code: number): void {
    // A server that has answered need not take the rest of the request.
    const early = code !== 0 || !this.#remoteEnded;
    this.close(early ? { reason: `the peer ended the call early (${errorName(code)})` } : undefined);
  }

  close(why: StreamFault | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing = undefined;
    this.#link.gone(this);
    this.#events?.closed(why);
  }

  #giveBack(): void {
    if (this.#paused || this.#remoteEnded || this.#closed || this.#taken < receiveWindow / 2) return;
    this.#link.allow(this.id, this.#taken);
    this.#mayReceive += this.#taken;
    this.#taken = 0;
  }

  #endLocal(): void {
    this.#localEnded = true;
    this.#closeIfEnded();
  }

  #closeIfEnded(): void {
    if (this.#localEnded && this.#remoteEnded) this.close(undefined);
  }
}

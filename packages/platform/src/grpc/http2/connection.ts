// One connection of HTTP/2 (RFC 9113), either side, as far as gRPC over plain sockets uses it: no pushes, no priorities, no upgrade from
// HTTP/1.1. Everything that a peer can make us keep is bounded, and a peer that breaks the protocol loses the connection with
// the code that the RFC gives.
import type { Socket } from 'node:net';
import { encodeFrame, type Frame, FrameCutter, uint32 } from './frames.ts';
import { HeaderDecoder, type HeaderFields } from './hpack.ts';
import {
  defaultWindow,
  type ErrorCode,
  errorCodes,
  errorName,
  flags,
  frameTypes,
  largestWindow,
  maxFrameBytes,
  preface,
  settingIds,
} from './protocol.ts';
import { Http2Stream, receiveWindow, type StreamFault, type StreamLink } from './stream.ts';

/** What all streams together may send before they have to wait for us. */
const connectionWindow = 1024 * 1024;
/** Headers of one request or answer: as they come, and as their names and values. */
const maxBlockBytes = 32 * 1024;
const maxHeaderBytes = 64 * 1024;
/** Beyond this a peer that does not read what we have to answer is cut off. */
const maxUnreadBytes = 4 * 1024 * 1024;
/** While more than this waits to be read by the peer, bytes of streams wait too. */
const busyBytes = 512 * 1024;
/** A client that gives up so many calls, and more than half of all, does it to keep us busy (CVE-2023-44487). */
const maxEarlyEnds = 500;
/** In milliseconds. */
const partingMs = 1_000;
/** Requests that wait for the peer to take more at once. */
const maxWaiting = 1_024;

export interface ConnectionEvents {
  /** A peer has opened a stream; it is given its events before anything else comes. Only on a server's side. */
  stream?(stream: Http2Stream): void;
  /** No new streams any more, those under way go on. */
  goingAway?(): void;
  /** Once; every stream has been closed. */
  closed?(): void;
}

export interface ConnectionOptions {
  readonly side: 'client' | 'server';
  /** Streams that the peer may have open at once. */
  readonly maxStreams?: number;
}

interface Waiting {
  readonly stream: Http2Stream;
  readonly fields: HeaderFields;
  readonly body: Uint8Array;
}

interface Block {
  readonly streamId: number;
  readonly last: boolean;
  readonly parts: Buffer[];
  bytes: number;
}

export class Http2Connection {
  readonly #socket: Socket;
  readonly #side: 'client' | 'server';
  readonly #maxStreams: number;
  readonly #events: ConnectionEvents;
  readonly #cutter = new FrameCutter();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Http2Stream>();
  readonly #waiting: Waiting[] = [];
  readonly #link: StreamLink;
  /** Bytes of the preface, which a client sends first, that have not come yet. */
  #prefaceLeft: number;
  #hasSettings = false;
  #nextId = 1;
  #lastPeerId = 0;
  #sendWindow = defaultWindow;
  #mayReceive = connectionWindow;
  #taken = 0;
  #peerWindow = defaultWindow;
  #peerMaxStreams = Number.POSITIVE_INFINITY;
  /** Headers that go on in the next frame. */
  #block: Block | undefined;
  #earlyEnds = 0;
  #goingAway = false;
  #closed = false;
  #failure: StreamFault | undefined;

  constructor(socket: Socket, { side, maxStreams = 128 }: ConnectionOptions, events: ConnectionEvents) {
    this.#socket = socket;
    this.#side = side;
    this.#maxStreams = maxStreams;
    this.#events = events;
    this.#prefaceLeft = side === 'server' ? preface.length : 0;
    this.#link = {
      write: (type, bits, streamId, payload) => this.#write(type, bits, streamId, payload),
      take: (wanted) => this.#take(wanted),
      reset: (streamId, code) => this.#write(frameTypes.reset, 0, streamId, uint32(errorCodes[code])),
      allow: (streamId, bytes) => this.#write(frameTypes.windowUpdate, 0, streamId, uint32(bytes)),
      gone: (stream) => this.#forget(stream),
    };
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    socket.on('drain', () => this.#flushAll());
    socket.on('error', (cause) => (this.#failure ??= { reason: cause.message, cause }));
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#end());
    this.#greet();
  }

  /** New requests can be made. */
  get isOpen(): boolean {
    return !this.#closed && !this.#goingAway && this.#nextId < largestWindow;
  }

  /** Asks, now or once the peer takes more; undefined when too many wait already. Only while `isOpen`. */
  request(fields: HeaderFields, body: Uint8Array): Http2Stream | undefined {
    const stream = new Http2Stream(this.#link);
    const waiting = { stream, fields, body };
    if (this.#streams.size < this.#peerMaxStreams) this.#start(waiting);
    else if (this.#waiting.length < maxWaiting) this.#waiting.push(waiting);
    else return undefined;
    return stream;
  }

  /** Cuts everything. */
  close(reason: string): void {
    this.#failure ??= { reason };
    this.#socket.destroy();
  }

  #start({ stream, fields, body }: Waiting): void {
    stream.begin(this.#nextId, this.#peerWindow);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    stream.sendHeaders(fields);
    stream.sendData(body);
  }

  #greet(): void {
    const ours = [
      [settingIds.initialWindowSize, receiveWindow],
      [settingIds.maxHeaderListSize, maxHeaderBytes],
      this.#side === 'client' ? [settingIds.enablePush, 0] : [settingIds.maxConcurrentStreams, this.#maxStreams],
    ] as const;
    const settings = Buffer.concat(ours.map(([id, value]) => Buffer.concat([Uint8Array.of(0, id), uint32(value)])));
    if (this.#side === 'client') this.#socket.write(preface);
    this.#write(frameTypes.settings, 0, 0, settings);
    this.#write(frameTypes.windowUpdate, 0, 0, uint32(connectionWindow - defaultWindow));
  }

  #write(type: number, bits: number, streamId: number, payload: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(encodeFrame(type, bits, streamId, payload));
  }

  #take(wanted: number): number {
    if (this.#socket.writableLength > busyBytes) return 0;
    const size = Math.min(wanted, this.#sendWindow, maxFrameBytes);
    if (size > 0) this.#sendWindow -= size;
    return size;
  }

  #flushAll(): void {
    for (const stream of this.#streams.values()) stream.flush();
  }

  #forget(stream: Http2Stream): void {
    if (!this.#streams.delete(stream.id)) return;
    while (this.#streams.size < this.#peerMaxStreams) {
      const next = this.#waiting.shift();
      if (!next) return;
      if (next.stream.isClosed) continue;
      if (this.isOpen) this.#start(next);
      else next.stream.close({ reason: 'the connection is closing' });
    }
  }

  /** The connection is of no use any more: the peer is told why, and everything ends. */
  #fail(code: ErrorCode, reason: string): false {
    this.#failure ??= { reason: `${reason} (${code})` };
    this.#write(frameTypes.goAway, 0, 0, Buffer.concat([uint32(this.#lastPeerId), uint32(errorCodes[code])]));
    this.#part();
    this.#end();
    return false;
  }

  /** Closes once the peer has read what it has been told, which it has a moment for. */
  #part(): void {
    const timer = setTimeout(() => this.#socket.destroy(), partingMs);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.destroySoon();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    const why = this.#failure ?? { reason: 'the connection broke' };
    for (const { stream } of this.#waiting.splice(0)) stream.close(why);
    for (const stream of this.#streams.values()) stream.close(why);
    this.#events.closed?.();
  }

  #receive(chunk: Uint8Array): void {
    let rest = chunk;
    if (this.#prefaceLeft > 0) {
      const expected = preface.subarray(preface.length - this.#prefaceLeft);
      const some = rest.subarray(0, expected.length);
      if (!expected.subarray(0, some.length).equals(some)) {
        this.#fail('PROTOCOL_ERROR', 'the peer does not speak HTTP/2');
        return;
      }
      this.#prefaceLeft -= some.length;
      rest = rest.subarray(some.length);
    }
    if (!this.#closed && !this.#cutter.push(rest, (frame) => this.#takeFrame(frame)))
      this.#fail('FRAME_SIZE_ERROR', 'the peer sent a frame larger than it may be');
  }

  /** False when nothing more is to be read. */
  #takeFrame(frame: Frame): boolean {
    if (this.#closed) return false;
    const { type, streamId, payload } = frame;
    if (!this.#hasSettings && (type !== frameTypes.settings || frame.flags & flags.ack))
      return this.#fail('PROTOCOL_ERROR', 'the peer does not begin with its settings');
    if (this.#block && (type !== frameTypes.continuation || streamId !== this.#block.streamId))
      return this.#fail('PROTOCOL_ERROR', 'headers were left unfinished');
    if (this.#socket.writableLength > maxUnreadBytes)
      return this.#fail('ENHANCE_YOUR_CALM', 'the peer does not read what it asks for');
    switch (type) {
      case frameTypes.data:
        return this.#takeData(frame);
      case frameTypes.headers:
        return this.#takeHeaders(frame);
      case frameTypes.continuation:
        return this.#block
          ? this.#extend(this.#block, payload, (frame.flags & flags.endHeaders) !== 0)
          : this.#fail('PROTOCOL_ERROR', 'headers go on that never began');
      case frameTypes.priority:
        return payload.length === 5 || this.#fail('FRAME_SIZE_ERROR', 'a priority of a wrong length');
      case frameTypes.reset:
        return this.#takeReset(frame);
      case frameTypes.settings:
        return this.#takeSettings(frame);
      case frameTypes.pushPromise:
        return this.#fail('PROTOCOL_ERROR', 'the peer pushes, which it was asked not to');
      case frameTypes.ping:
        if (payload.length !== 8) return this.#fail('FRAME_SIZE_ERROR', 'a ping of a wrong length');
        if (!(frame.flags & flags.ack)) this.#write(frameTypes.ping, flags.ack, 0, payload);
        return true;
      case frameTypes.goAway:
        return this.#takeGoAway(frame);
      case frameTypes.windowUpdate:
        return this.#takeWindowUpdate(frame);
      default:
        // Types that later documents define are to be ignored.
        return true;
    }
  }

  #takeData({ streamId, flags: bits, payload }: Frame): boolean {
    const bytes = withoutPadding(payload, bits);
    if (bytes === undefined || this.#isIdle(streamId))
      return this.#fail('PROTOCOL_ERROR', 'bytes that belong to nothing');
    this.#mayReceive -= payload.length;
    if (this.#mayReceive < 0) return this.#fail('FLOW_CONTROL_ERROR', 'the peer sends more than it may');
    this.#taken += payload.length;
    // What waits in a stream that is held back is bounded by the window of that stream.
    if (this.#taken >= connectionWindow / 2) {
      this.#write(frameTypes.windowUpdate, 0, 0, uint32(this.#taken));
      this.#mayReceive += this.#taken;
      this.#taken = 0;
    }
    const stream = this.#streams.get(streamId);
    if (!stream) return true;
    if (stream.remoteEnded) stream.reset('STREAM_CLOSED', 'the peer sends more after its end');
    else if (!stream.receiveData(bytes, payload.length, (bits & flags.endStream) !== 0))
      stream.reset('FLOW_CONTROL_ERROR', 'the peer sends more than it may');
    return !this.#closed;
  }

  #takeHeaders({ streamId, flags: bits, payload }: Frame): boolean {
    const unpadded = withoutPadding(payload, bits);
    const priorityBytes = bits & flags.priority ? 5 : 0;
    if (streamId === 0 || unpadded === undefined || unpadded.length < priorityBytes)
      return this.#fail('PROTOCOL_ERROR', 'headers that belong to nothing');
    this.#block = { streamId, last: (bits & flags.endStream) !== 0, parts: [], bytes: 0 };
    return this.#extend(this.#block, unpadded.subarray(priorityBytes), (bits & flags.endHeaders) !== 0);
  }

  #extend(block: Block, part: Buffer, isWhole: boolean): boolean {
    block.parts.push(part);
    // A part counts even when it is empty.
    block.bytes += part.length + 9;
    if (block.bytes > maxBlockBytes) return this.#fail('ENHANCE_YOUR_CALM', 'headers larger than they may be');
    if (!isWhole) return true;
    this.#block = undefined;
    const headers = this.#decoder.decode(Buffer.concat(block.parts), maxHeaderBytes);
    if (headers === undefined) return this.#fail('COMPRESSION_ERROR', 'headers that cannot be read');
    const { streamId, last } = block;
    const stream = this.#streams.get(streamId);
    if (stream) {
      if (this.#side === 'server' && !last) stream.reset('PROTOCOL_ERROR', 'the peer sends a second head');
      else stream.receiveHeaders(headers, last);
      return !this.#closed;
    }
    if (!this.#isIdle(streamId)) return true;
    if (this.#side === 'client' || streamId % 2 === 0)
      return this.#fail('PROTOCOL_ERROR', 'headers of a stream that cannot be');
    this.#lastPeerId = streamId;
    this.#accept(streamId, (opened) => opened.receiveHeaders(headers, last));
    return !this.#closed;
  }

  #accept(streamId: number, begin: (stream: Http2Stream) => void): void {
    if (this.#streams.size >= this.#maxStreams) {
      this.#link.reset(streamId, 'REFUSED_STREAM');
      return;
    }
    const stream = new Http2Stream(this.#link);
    stream.begin(streamId, this.#peerWindow);
    this.#streams.set(streamId, stream);
    this.#events.stream?.(stream);
    begin(stream);
  }

  #takeReset({ streamId, payload }: Frame): boolean {
    if (payload.length !== 4) return this.#fail('FRAME_SIZE_ERROR', 'a reset of a wrong length');
    if (this.#isIdle(streamId)) return this.#fail('PROTOCOL_ERROR', 'a reset of a stream that never was');
    this.#earlyEnds += 1;
    const calls = this.#lastPeerId / 2;
    if (this.#side === 'server' && this.#earlyEnds > maxEarlyEnds && this.#earlyEnds > calls / 2)
      return this.#fail('ENHANCE_YOUR_CALM', 'too many calls are given up');
    this.#streams.get(streamId)?.receiveReset(payload.readUInt32BE());
    return !this.#closed;
  }

  #takeSettings({ streamId, flags: bits, payload }: Frame): boolean {
    if (streamId !== 0) return this.#fail('PROTOCOL_ERROR', 'settings of a stream');
    if (bits & flags.ack) return payload.length === 0 || this.#fail('FRAME_SIZE_ERROR', 'an answer with settings');
    if (payload.length % 6 !== 0) return this.#fail('FRAME_SIZE_ERROR', 'settings of a wrong length');
    this.#hasSettings = true;
    for (let at = 0; at < payload.length; at += 6) {
      if (!this.#applySetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))) return false;
    }
    this.#write(frameTypes.settings, flags.ack, 0, Buffer.alloc(0));
    this.#flushAll();
    return true;
  }

  #applySetting(id: number, value: number): boolean {
    if (id === settingIds.initialWindowSize) {
      if (value > largestWindow) return this.#fail('FLOW_CONTROL_ERROR', 'a window larger than it may be');
      const more = value - this.#peerWindow;
      this.#peerWindow = value;
      for (const stream of this.#streams.values()) stream.sendWindow += more;
      return true;
    }
    if (id === settingIds.maxConcurrentStreams) this.#peerMaxStreams = value;
    if (id === settingIds.maxFrameSize && (value < maxFrameBytes || value >= 2 ** 24))
      return this.#fail('PROTOCOL_ERROR', 'a frame size that cannot be');
    if (id === settingIds.enablePush && value > 1) return this.#fail('PROTOCOL_ERROR', 'a setting that cannot be');
    return true;
  }

  #takeGoAway({ payload }: Frame): boolean {
    if (payload.length < 8) return this.#fail('FRAME_SIZE_ERROR', 'a farewell of a wrong length');
    const last = payload.readUInt32BE() & largestWindow;
    const code = payload.readUInt32BE(4);
    this.#goingAway = true;
    this.#events.goingAway?.();
    const why = { reason: `the peer is closing the connection (${errorName(code)})` };
    for (const { stream } of this.#waiting.splice(0)) stream.close(why);
    for (const stream of this.#streams.values()) if (this.#side === 'client' && stream.id > last) stream.close(why);
    // What is under way goes on; the peer closes when it has ended.
    if (this.#streams.size === 0) this.#part();
    return true;
  }

  #takeWindowUpdate({ streamId, payload }: Frame): boolean {
    if (payload.length !== 4) return this.#fail('FRAME_SIZE_ERROR', 'a window of a wrong length');
    const more = payload.readUInt32BE() & largestWindow;
    if (streamId === 0) {
      this.#sendWindow += more;
      if (more === 0) return this.#fail('PROTOCOL_ERROR', 'a window that does not grow');
      if (this.#sendWindow > largestWindow) return this.#fail('FLOW_CONTROL_ERROR', 'a window larger than it may be');
      this.#flushAll();
      return true;
    }
    if (this.#isIdle(streamId)) return this.#fail('PROTOCOL_ERROR', 'a window of a stream that never was');
    const stream = this.#streams.get(streamId);
    if (!stream) return true;
    stream.sendWindow += more;
    if (more === 0) stream.reset('PROTOCOL_ERROR', 'a window that does not grow');
    else if (stream.sendWindow > largestWindow) stream.reset('FLOW_CONTROL_ERROR', 'a window larger than it may be');
    else stream.flush();
    return true;
  }

  /** Nobody has opened it so far. */
  #isIdle(streamId: number): boolean {
    const isOurs = streamId % 2 === (this.#side === 'client' ? 1 : 0);
    return streamId === 0 || streamId >= (isOurs ? this.#nextId : this.#lastPeerId + 1);
  }
}

/** Undefined when there is more padding than frame. */
function withoutPadding(payload: Buffer, bits: number): Buffer | undefined {
  if (!(bits & flags.padded)) return payload;
  const padding = payload[0] ?? 255;
  return padding < payload.length ? payload.subarray(1, payload.length - padding) : undefined;
}

// How the frames of one connection are read and written. With upstream peers every frame is one JSON envelope. Our own
// two sides agree in the upgrade on the dense form: a frame is a list of messages, and an empty list is a sign of life.
import type { Frame } from '@kedge/core/ports';
import {
  type AckRoute,
  type Downstream,
  type MessageId,
  messageId,
  type RawMessage,
  type Upstream,
} from '@kedge/model/messages';
import { readDenseDownstream, writeDenseDownstream } from './dense-downstream.ts';
import { ShortIds } from './dense-tuple.ts';
import { readDenseUpstream, writeDenseAcks, writeDenseUpstream } from './dense-upstream.ts';
import { downstreamFromWire, downstreamToWire } from './downstream.ts';
import { decodeEnvelope, encodeEnvelope, parseJson } from './envelope.ts';
import { maxHubFrameBytes, readFrame } from './frame.ts';
import { hubPeerErrors } from './hub-peer-errors.ts';
import { upstreamFromWire, upstreamToWire } from './upstream.ts';

/** Asked for by the edge in its upgrade request and granted by the cloud in the answer; names in lower case. */
export const linkHeader = { name: 'kedge-link', value: '1' } as const;
/** Sent by an edge whose store may hold nothing of what it once acknowledged. */
export const emptyStoreHeader = { name: 'kedge-store', value: 'empty' } as const;

/** What an edge reads. A refused message makes no sense, but the ones around it do. */
export type ReceivedByEdge =
  | { readonly ok: true; readonly message: Downstream }
  | { readonly ok: false; readonly to: MessageId; readonly of: AckRoute; readonly say: string };

export interface EdgeCodec {
  /** Throws HUB_PEER_... when the frame itself cannot be read. */
  decode(frame: Frame): readonly ReceivedByEdge[];
  /** Frames for these messages, in order. */
  encode(messages: readonly Upstream[]): readonly string[];
  /** The cloud renews this node's Lease as long as keepalives come, and answers every keepalive. */
  readonly isDense: boolean;
}

export interface CloudCodec {
  /** Throws HUB_PEER_... when the peer is at fault. */
  decode(frame: Frame): readonly Upstream[];
  encode(message: Downstream): string;
  /** The answer to a keepalive, where one is due. */
  readonly pulse: string | undefined;
}

export const plainEdgeCodec: EdgeCodec = {
  decode: (frame) => [receive(decodeEnvelope(readFrame(frame, maxHubFrameBytes)))],
  encode: (messages) => messages.map((message) => encodeEnvelope(upstreamToWire(message))),
  isDense: false,
};

function receive(raw: RawMessage): ReceivedByEdge {
  try {
    return { ok: true, message: downstreamFromWire(raw) };
  } catch (error) {
    if (!hubPeerErrors.BAD_CONTENT.is(error)) throw error;
    const { source = '', group = '', resource = '' } = raw.route;
    return { ok: false, to: messageId(raw.header.msg_id), of: { source, group, resource }, say: error.message };
  }
}

export const plainCloudCodec: CloudCodec = {
  decode: (frame) => [upstreamFromWire(decodeEnvelope(readFrame(frame, maxHubFrameBytes)))],
  encode: (message) => encodeEnvelope(downstreamToWire(message)),
  pulse: undefined,
};

/** For one connection: it remembers the short names of what awaits an answer. */
export function createDenseEdgeCodec(now: () => number): EdgeCodec {
  const ids = new ShortIds();
  return {
    decode: (frame) =>
      readList(frame)
        .flatMap((tuple) => readDenseDownstream(tuple, now(), ids))
        .map((message) => ({ ok: true, message })),
    encode(messages) {
      const acks = messages.flatMap((message) => (message.kind === 'ack' ? [message.to] : []));
      const others = messages.flatMap((message) => (message.kind === 'ack' ? [] : [writeDenseUpstream(message, ids)]));
      return [JSON.stringify(acks.length > 0 ? [writeDenseAcks(acks), ...others] : others)];
    },
    isDense: true,
  };
}

/** For one connection, as its counterpart. */
export function createDenseCloudCodec(now: () => number): CloudCodec {
  const ids = new ShortIds();
  return {
    decode: (frame) => readList(frame).flatMap((tuple) => readDenseUpstream(tuple, now(), ids)),
    encode: (message) => JSON.stringify([writeDenseDownstream(message, ids)]),
    pulse: '[]',
  };
}

function readList(frame: Frame): readonly unknown[] {
  const document = parseJson(readFrame(frame, maxHubFrameBytes));
  if (!Array.isArray(document)) throw hubPeerErrors.BAD_ENVELOPE({ field: 'dense frame', expected: 'a list' });
  return document;
}

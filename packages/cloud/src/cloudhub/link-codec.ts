// How a session's frames are read and written. An upstream edge and one of ours that negotiated more differ only here.
import type { Frame } from '@kedge/core/ports';
import type { Downstream, Upstream } from '@kedge/model/messages';
import {
  decodeEnvelope,
  downstreamToWire,
  encodeEnvelope,
  maxHubFrameBytes,
  readFrame,
  upstreamFromWire,
} from '@kedge/wire/hub';

export interface LinkCodec {
  /** What a frame says; throws HUB_PEER_... when the peer is at fault. */
  decode(frame: Frame): readonly Upstream[];
  encode(message: Downstream): string | Uint8Array;
  /** How many pushes may be unacknowledged at a time. */
  readonly window: number;
  /** The edge leaves renewing its Lease to us: we do it whenever it shows that it is alive. */
  readonly renewsLease: boolean;
  /** Whether this edge wants to be told of changes of its Node. */
  readonly wantsNode: boolean;
}

/** One JSON document per text frame, one push at a time. */
export const upstreamCodec: LinkCodec = {
  decode: (frame) => [upstreamFromWire(decodeEnvelope(readFrame(frame, maxHubFrameBytes)))],
  encode: (message) => encodeEnvelope(downstreamToWire(message)),
  window: 1,
  renewsLease: false,
  wantsNode: false,
};

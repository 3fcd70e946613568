// How a session's frames are read and written. An upstream edge and one of ours that negotiated more differ only here.
import type { Frame, Headers } from '@kedge/core/ports';
import type { Downstream, Upstream } from '@kedge/model/messages';
import { createDenseCloudCodec, emptyStoreHeader, linkHeader, plainCloudCodec } from '@kedge/wire/hub';

export interface LinkCodec {
  /** What a frame says; throws HUB_PEER_... when the peer is at fault. */
  decode(frame: Frame): readonly Upstream[];
  encode(message: Downstream): string | Uint8Array;
  /** The frame that answers a keepalive; upstream edges get none. */
  readonly pulse: string | undefined;
  /** The edge knows a refused report from a confirmed one. */
  readonly tellsRefusals: boolean;
  /** How many pushes may be unacknowledged at a time. */
  readonly window: number;
  /** The edge leaves renewing its Lease to us: we do it whenever it shows that it is alive. */
  readonly renewsLease: boolean;
  /** Whether this edge wants to be told of changes of its Node. */
  readonly wantsNode: boolean;
}

/** What the two sides agreed on in the upgrade. */
export interface Negotiated {
  readonly codec: LinkCodec;
  /** Of the upgrade's answer. */
  readonly headers: Headers;
  readonly mayBeEmpty: boolean;
}

/** One JSON document per text frame, one push at a time. */
export const upstreamCodec: LinkCodec = {
  ...plainCloudCodec,
  tellsRefusals: false,
  window: 1,
  renewsLease: false,
  wantsNode: false,
};

/** As many as the edge takes in before the first of them is on its disk. */
const denseWindow = 32;

/** What an edge of ours asks for; undefined for every other one, which hears nothing of it. */
export function negotiateLink(asked: Readonly<Record<string, unknown>>, now: () => number): Negotiated | undefined {
  if (asked[linkHeader.name] !== linkHeader.value) return undefined;
  return {
    codec: {
      ...createDenseCloudCodec(now),
      tellsRefusals: true,
      window: denseWindow,
      renewsLease: true,
      wantsNode: true,
    },
    headers: { [linkHeader.name]: linkHeader.value },
    mayBeEmpty: asked[emptyStoreHeader.name] === emptyStoreHeader.value,
  };
}

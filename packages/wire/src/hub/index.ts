// The hub link's codec, in three pure steps: frame <-> text <-> envelope <-> message. The last one is the only place
// that spells beehive routes (`edgecontroller`, `default/podpatch/web-0`, "OK").
//
//     const message = downstreamFromWire(decodeEnvelope(readFrame(frame, maxHubFrameBytes)));
//     await socket.send(encodeEnvelope(upstreamToWire({ kind: 'ack', id, at, to: message.id, of: ackRouteOf(message) })));
export { decodeEnvelope, encodeEnvelope, maxJsonDepth } from './envelope.ts';
export { ackRouteOf, downstreamFromWire, downstreamToWire } from './downstream.ts';
export { maxHubFrameBytes, readFrame } from './frame.ts';
export { hubPeerErrors } from './hub-peer-errors.ts';
export { wantsAck } from './reply-content.ts';
export { formatResource, parseResource } from './resource.ts';
export {
  createDenseCloudCodec,
  createDenseEdgeCodec,
  emptyStoreHeader,
  linkHeader,
  plainCloudCodec,
  plainEdgeCodec,
} from './link-codec.ts';
export type { CloudCodec, EdgeCodec, ReceivedByEdge } from './link-codec.ts';
export { upstreamFromWire, upstreamToWire } from './upstream.ts';

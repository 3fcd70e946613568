// Frame <-> text. One frame holds one JSON document; Go peers send text frames, and binary ones are as good.
import type { Frame } from '@kedge/core/ports';
import { hubPeerErrors } from './hub-peer-errors.ts';

/** Objects of several MiB do cross the link, and upstream has no limit at all; ours is generous but finite. */
export const maxHubFrameBytes = 32 * 1024 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a frame; throws HUB_PEER_FRAME_TOO_LARGE before looking at the bytes, HUB_PEER_BAD_TEXT after. */
export function readFrame(frame: Frame, limit: number = maxHubFrameBytes): string {
  const bytes = frame.data.byteLength;
  if (bytes > limit) throw hubPeerErrors.FRAME_TOO_LARGE({ bytes, limit });
  try {
    return utf8.decode(frame.data);
  } catch (cause) {
    throw hubPeerErrors.BAD_TEXT(undefined, cause);
  }
}

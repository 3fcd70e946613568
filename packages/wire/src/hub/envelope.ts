// Text <-> envelope: the header, route and content that every message has, checked for shape but not for meaning.
// Fields that we do not know stay where they were, so a message that is only passed on leaves as it came.
import type { RawMessage } from '@kedge/model/messages';
import { hubPeerErrors } from './hub-peer-errors.ts';

/** Deeper documents are refused before they are parsed: encoding and comparing them later would exhaust the stack. */
export const maxJsonDepth = 200;

/** A longer id, source or resource is no name of anything. */
const maxFieldLength = 8_192;

export function decodeEnvelope(text: string): RawMessage {
  const document = parseJson(text);
  if (!isPlainObject(document)) throw bad('document', 'a JSON object');
  const { header, route } = document;
  if (!isPlainObject(header)) throw bad('header', 'an object');
  if (!isPlainObject(route)) throw bad('route', 'an object');
  if (!isText(header['msg_id']) || header['msg_id'] === '') throw bad('header.msg_id', 'a short text');
  if (typeof header['timestamp'] !== 'number') throw bad('header.timestamp', 'a number of milliseconds');
  for (const field of ['parent_msg_id', 'resourceversion', 'type']) {
    if (header[field] !== undefined && !isText(header[field])) throw bad(`header.${field}`, 'a short text');
  }
  if (header['sync'] !== undefined && typeof header['sync'] !== 'boolean') throw bad('header.sync', 'true or false');
  for (const field of ['source', 'destination', 'group', 'operation', 'resource']) {
    if (route[field] !== undefined && !isText(route[field])) throw bad(`route.${field}`, 'a short text');
  }
  return document as unknown as RawMessage;
}

export const encodeEnvelope = (message: RawMessage): string => JSON.stringify(message);

/** Parses one JSON document of bounded depth; throws HUB_PEER_TOO_DEEP or HUB_PEER_BAD_JSON. */
export function parseJson(text: string): unknown {
  if (isDeeperThan(text, maxJsonDepth)) throw hubPeerErrors.TOO_DEEP({ limit: maxJsonDepth });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw hubPeerErrors.BAD_JSON(undefined, cause);
  }
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= maxFieldLength;

const bad = (field: string, expected: string) => hubPeerErrors.BAD_ENVELOPE({ field, expected });

const quote = 0x22;
const backslash = 0x5c;

/** Counts brackets outside of strings; a broken document may be miscounted and is then refused by the parser. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === backslash) i++;
      else if (c === quote) inString = false;
    } else if (c === quote) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}

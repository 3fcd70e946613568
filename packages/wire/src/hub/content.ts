// Reading `content`. Go peers decode a nested document and a string that holds the same document alike, so both come.
import type { KubeObject } from '@kedge/model/k8s';
import type { RawMessage } from '@kedge/model/messages';
import { isPlainObject, parseJson } from './envelope.ts';
import { hubPeerErrors } from './hub-peer-errors.ts';

/** The content as a document: parsed when it is a text that holds a JSON object. */
export function readDocument(content: unknown): unknown {
  return typeof content === 'string' && content.trimStart().startsWith('{') ? parseJson(content) : content;
}

/** The content as a Kubernetes object; throws HUB_PEER_BAD_CONTENT. */
export function readObject(raw: RawMessage): KubeObject {
  const document = readDocument(raw.content);
  if (!isKubeObject(document)) throw badContent(raw, 'a Kubernetes object');
  return document;
}

/** The content as a patch document in text; throws HUB_PEER_BAD_CONTENT. */
export function readPatch(raw: RawMessage): string {
  if (typeof raw.content === 'string') return raw.content;
  if (isPlainObject(raw.content)) return JSON.stringify(raw.content);
  throw badContent(raw, 'a patch document');
}

export const isKubeObject = (value: unknown): value is KubeObject =>
  isPlainObject(value) && isPlainObject(value['metadata']);

export const badContent = (raw: RawMessage, expected: string) =>
  hubPeerErrors.BAD_CONTENT({ operation: raw.route.operation ?? '', resource: raw.route.resource ?? '', expected });

// admission.k8s.io/v1: reading a request, writing the answer.
import { encodeBase64 } from '@kedge/engine/identity-cloud';
import type { KubeObject } from '@kedge/model/k8s';
import type { Operation, Review, Verdict } from './verdict.ts';

const operations: ReadonlySet<string> = new Set<Operation>(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']);

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Undefined when the document is no AdmissionReview that makes sense. */
export function readReview(text: string): Review | undefined {
  const request = requestOf(text);
  if (!request) return undefined;
  const { uid, operation, namespace = '', name = '', object, oldObject } = request;
  if (typeof uid !== 'string' || typeof operation !== 'string' || !operations.has(operation)) return undefined;
  const [now, before] = [readObject(object), readObject(oldObject)];
  const isWritten = operation === 'CREATE' || operation === 'UPDATE';
  if (isWritten && !now) return undefined;
  return {
    uid,
    operation: operation as Operation,
    namespace: typeof namespace === 'string' ? namespace : '',
    name: typeof name === 'string' && name !== '' ? name : (now?.metadata.name ?? ''),
    object: now,
    before,
  };
}

function requestOf(text: string): Fields | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isFields(document) && isFields(document['request']) ? document['request'] : undefined;
  } catch {
    return undefined;
  }
}

const readObject = (value: unknown): KubeObject | undefined =>
  isFields(value) && isFields(value['metadata']) ? (value as unknown as KubeObject) : undefined;

export function writeReview(uid: string, verdict: Verdict): string {
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, ...said(verdict) },
  });
}

function said(verdict: Verdict): object {
  if (!verdict.allowed) return { allowed: false, status: { message: verdict.say } };
  const { warnings, patch } = verdict;
  return {
    allowed: true,
    ...(warnings === undefined ? {} : { warnings }),
    ...(patch === undefined
      ? {}
      : { patchType: 'JSONPatch', patch: encodeBase64(new TextEncoder().encode(JSON.stringify(patch))) }),
  };
}

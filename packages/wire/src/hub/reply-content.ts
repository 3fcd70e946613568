// The forms an answer's content has. Which one a question gets is settled by its kind and the type of object, and an
// upstream edge decodes nothing else: a plain document, `{Object, Err}`, the text "OK", or an operation `error`.
import { failure, type Status } from '@kedge/model/k8s';
import type { Outcome, Question } from '@kedge/model/messages';
import { readDocument } from './content.ts';
import { isPlainObject } from './envelope.ts';
import { caResource, parseResource } from './resource.ts';

export type QuestionKind = Question['kind'] | 'legacy.status' | 'membership.get';

/**
 * `errorText`: an upstream edge stores whatever comes as `response` as the object itself. A failed lookup of these types
 * is therefore answered with operation `error` and plain text, else pods would start with empty ConfigMaps and Secrets.
 */
type ReplyForm = 'document' | 'documentOrErrorText' | 'objectResponse' | 'ok' | 'okOrErrorText' | 'text';

const answeredWithErrorText = new Set([
  'configmap',
  'secret',
  'persistentvolume',
  'persistentvolumeclaim',
  'volumeattachment',
  'runtimeclass',
]);

export function replyForm(question: QuestionKind | undefined, type: string | undefined): ReplyForm {
  switch (question) {
    case 'object.get':
      if (type === 'lease') return 'objectResponse';
      return answeredWithErrorText.has(type ?? '') ? 'documentOrErrorText' : 'document';
    case 'object.create':
    case 'node.status':
    case 'pod.status':
      return 'objectResponse';
    case 'object.update':
      return type === 'node' ? 'ok' : 'objectResponse';
    case 'pod.delete':
    case 'legacy.status':
      return 'ok';
    case 'membership.get':
    case 'twin.report':
    case 'device.state':
    case 'device.conditions':
    case 'samples.report':
      return 'okOrErrorText';
    case 'ca.get':
      return 'text';
    case 'token.request':
    case undefined:
      return 'document';
  }
}

/** An upstream cloud repeats the answer to these until it is acknowledged, and sends nothing else meanwhile. */
export const wantsAck = (type: string | undefined): boolean => answeredWithErrorText.has(type ?? '');

export interface ReplyContent {
  readonly operation: 'response' | 'error';
  readonly content: unknown;
}

export function replyToContent(form: ReplyForm, outcome: Outcome<unknown>, remnant: unknown): ReplyContent {
  if (outcome.ok) {
    if (form === 'ok' || form === 'okOrErrorText') return { operation: 'response', content: 'OK' };
    if (form !== 'objectResponse') return { operation: 'response', content: outcome.value ?? 'OK' };
    return { operation: 'response', content: { Object: outcome.value ?? {}, Err: null } };
  }
  if (form === 'documentOrErrorText' || form === 'okOrErrorText' || form === 'text') {
    return { operation: 'error', content: outcome.status.message ?? outcome.status.reason ?? 'the request failed' };
  }
  const document = { ErrStatus: wireStatus(outcome.status) };
  if (form === 'objectResponse') {
    return { operation: 'response', content: { Object: remnant ?? null, Err: document } };
  }
  return { operation: 'response', content: document };
}

/** A zero status means success to a Go edge, so a failure always says at least what, why and how bad. */
function wireStatus(status: Status): Status {
  const { apiVersion: _, kind: __, ...rest } = status;
  return {
    metadata: {},
    ...rest,
    status: 'Failure',
    message: status.message ?? 'the request failed',
    reason: status.reason ?? 'InternalError',
    code: status.code ?? 500,
  };
}

export interface ReadReply {
  readonly outcome: Outcome<unknown>;
  readonly remnant?: unknown;
}

/** Reads an answer in any of its forms; an error document is never taken for an object. */
export function replyFromContent(operation: string | undefined, resource: string, content: unknown): ReadReply {
  if (operation === 'error') return failed(typeof content === 'string' ? content : 'the cloud reported an error');
  if (content === 'OK') return { outcome: { ok: true, value: undefined } };
  if (resource === caResource && typeof content === 'string') return { outcome: { ok: true, value: content } };
  const document = readDocument(content);
  if (!isPlainObject(document)) {
    return failed(typeof document === 'string' ? document : 'the cloud answered with no object');
  }
  if ('Object' in document && 'Err' in document) return objectResponse(document);
  if (document['kind'] === undefined && 'ErrStatus' in document) {
    return { outcome: { ok: false, status: readStatus(document['ErrStatus']) ?? unspecified() } };
  }
  if (document['kind'] === 'Status' && document['status'] === 'Failure') {
    return { outcome: { ok: false, status: document as Status } };
  }
  if (Object.keys(document).length === 0) return { outcome: { ok: false, status: unspecified() } };
  return { outcome: { ok: true, value: document } };
}

function objectResponse({ Object: object, Err: error }: Record<string, unknown>): ReadReply {
  const status = isPlainObject(error) ? readStatus(error['ErrStatus']) : undefined;
  if (status) {
    return { outcome: { ok: false, status }, ...(object === null || object === undefined ? {} : { remnant: object }) };
  }
  if (!isPlainObject(object)) return failed('the cloud answered with neither an object nor an error');
  return { outcome: { ok: true, value: object } };
}

/** Undefined for the zero value, which is how Go writes "no error". */
function readStatus(value: unknown): Status | undefined {
  if (!isPlainObject(value)) return undefined;
  const told = ['status', 'message', 'reason', 'code'].some((field) => value[field]);
  return told ? (value as Status) : undefined;
}

const unspecified = (): Status => failure('InternalError', 'the cloud reported an error without saying which');
const failed = (message: string): ReadReply => ({
  outcome: { ok: false, status: failure('InternalError', message.slice(0, 4_096)) },
});

/** Which question an answer is for, judging by its address and form; undefined when it fits none. */
export function guessQuestion(resource: string, content: unknown): QuestionKind | undefined {
  if (resource === caResource) return 'ca.get';
  const isObjectResponse = isPlainObject(content) && 'Object' in content && 'Err' in content;
  switch (parseResource(resource)?.type) {
    case undefined:
      return undefined;
    case 'nodepatch':
      return 'node.status';
    case 'podpatch':
      return 'pod.status';
    case 'serviceaccounttoken':
      return 'token.request';
    case 'nodestatus':
    case 'podstatus':
      return 'legacy.status';
    case 'lease':
      return 'object.get';
    case 'node':
      return content === 'OK' ? 'object.update' : isObjectResponse ? 'object.create' : 'object.get';
    case 'pod':
      return isObjectResponse ? 'object.create' : 'pod.delete';
    default:
      return isObjectResponse ? 'object.create' : 'object.get';
  }
}

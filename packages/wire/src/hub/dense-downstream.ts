// Cloud -> edge in the dense form. Objects travel without managedFields, which no edge of ours reads, and the answer to a
// status without the object.
import { type KubeObject, resourceVersion, type Status, uid } from '@kedge/model/k8s';
import { type Downstream, messageId } from '@kedge/model/messages';
import { readTuple, type ShortIds, type TupleReader, writeRef } from './dense-tuple.ts';
import { downstreamFromWire, downstreamToWire } from './downstream.ts';
import { decodeEnvelope, isPlainObject } from './envelope.ts';
import { hubPeerErrors } from './hub-peer-errors.ts';

type Push = Extract<Downstream, { kind: 'object.put' | 'object.delete' }>;
type Reply = Extract<Downstream, { kind: 'reply' }>;

const code = { put: 0, delete: 1, reply: 2, envelope: 3 } as const;
/** By their place in this list on the wire: append only. */
const owners: readonly Push['owner'][] = [
  'edgecontroller',
  'devicecontroller',
  'dynamiccontroller',
  'policycontroller',
];

/** `ids` names what awaits an answer from the edge. */
export function writeDenseDownstream(message: Downstream, ids: ShortIds): unknown[] {
  switch (message.kind) {
    case 'object.put': {
      const { ref, object, owner, change, version } = message;
      const isOwnVersion = version === object.metadata.resourceVersion;
      return [
        code.put,
        ids.numberOf(message.id),
        writeRef(ref),
        withoutManagedFields(object),
        owners.indexOf(owner),
        change === 'update' ? 1 : 0,
        ...(isOwnVersion ? [] : [version]),
      ];
    }
    case 'object.delete':
      return [code.delete, ids.numberOf(message.id), writeRef(message.ref), message.uid, owners.indexOf(message.owner)];
    case 'reply': {
      const { outcome, version, wantsAck } = message;
      const answer = outcome.ok ? shorten(message.question, outcome.value) : outcome.status;
      return [
        code.reply,
        Number(message.to),
        wantsAck ? ids.numberOf(message.id) : 0,
        outcome.ok ? 1 : 0,
        answer ?? null,
        ...(version ? [version] : []),
      ];
    }
    case 'membership.update':
    case 'membership.detail':
    case 'bus.publish':
    case 'bus.subscribe':
    case 'bus.unsubscribe':
    case 'unknown':
      return [code.envelope, downstreamToWire(message)];
  }
}

/** `ids` names what the edge awaits an answer for. A code that we do not know is of a newer cloud: passed over. */
export function readDenseDownstream(tuple: unknown, at: number, ids: ShortIds): Downstream[] {
  const read = readTuple(tuple);
  switch (read.code) {
    case code.put: {
      const object = read.object(3);
      const version = resourceVersion(read.length > 6 ? read.text(6) : (object.metadata.resourceVersion ?? ''));
      const change = read.flag(5) ? 'update' : 'insert';
      return [
        { kind: 'object.put', id: read.id(1), at, ref: read.ref(2), version, object, owner: ownerOf(read), change },
      ];
    }
    case code.delete: {
      const ref = read.ref(2);
      const gone = uid(read.text(3));
      const { namespace, name } = ref;
      const object = { metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid: gone } };
      return [
        { kind: 'object.delete', id: read.id(1), at, ref, uid: gone, object, version: undefined, owner: ownerOf(read) },
      ];
    }
    case code.reply:
      return [readReply(read, at, ids)];
    case code.envelope:
      return [downstreamFromWire(decodeEnvelope(JSON.stringify(read.document(1))))];
    default:
      return [];
  }
}

function readReply(read: TupleReader, at: number, ids: ShortIds): Reply {
  const own = read.number(2);
  return {
    kind: 'reply',
    id: messageId(String(own)),
    at,
    to: ids.idOf(read.number(1)),
    question: undefined,
    ref: undefined,
    outcome: read.flag(3)
      ? { ok: true, value: read.any(4) ?? undefined }
      : { ok: false, status: read.document(4) as Status },
    ...(read.length > 5 ? { version: resourceVersion(read.text(5)) } : {}),
    wantsAck: own !== 0,
  };
}

function ownerOf(read: TupleReader): Push['owner'] {
  const owner = owners[read.number(4)];
  if (!owner) throw hubPeerErrors.BAD_ENVELOPE({ field: 'dense owner', expected: 'the number of a module' });
  return owner;
}

/** Who reported a status knows the object: its identity is enough, and a tenth of an idle node's traffic. */
function shorten(question: Reply['question'], value: unknown): unknown {
  if (question !== 'pod.status' && question !== 'node.status') return withoutManagedFields(value);
  if (!isPlainObject(value) || !isPlainObject(value['metadata'])) return value;
  const { name, namespace, uid: of, resourceVersion: version } = value['metadata'] as KubeObject['metadata'];
  return { metadata: { name, namespace, uid: of, resourceVersion: version } };
}

function withoutManagedFields<T>(value: T): T {
  if (!isPlainObject(value) || !isPlainObject(value['metadata'])) return value;
  const { managedFields: _, ...metadata } = value['metadata'] as KubeObject['metadata'];
  return { ...value, metadata } as T;
}

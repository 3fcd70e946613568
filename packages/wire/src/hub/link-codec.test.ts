import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@kedge/core/errors';
import { failure, nodeName, resourceVersion, uid } from '@kedge/model/k8s';
import { type Downstream, messageId, type ObjectRef, type Upstream } from '@kedge/model/messages';
import * as fc from 'fast-check';
import { createDenseCloudCodec, createDenseEdgeCodec } from './index.ts';

const now = (): number => 7;
const frameOf = (text: string) => ({ data: new TextEncoder().encode(text), binary: false });
const pair = () => ({ edge: createDenseEdgeCodec(now), cloud: createDenseCloudCodec(now) });
const id = messageId('0b4d7a5e-6f0c-4f9e-9c19-6d1b2d6a3f11');
const base = { id, at: 7 };
const ref: ObjectRef = { type: 'pod', namespace: 'default', name: 'web-0' };
const node: ObjectRef = { type: 'node', namespace: undefined, name: nodeName('edge-1') };
const object = { kind: 'Pod', metadata: { name: 'web-0', uid: 'u', resourceVersion: '5' }, spec: {} };

const up = ({ edge, cloud }: ReturnType<typeof pair>, ...messages: Upstream[]): readonly Upstream[] =>
  edge.encode(messages).flatMap((frame) => cloud.decode(frameOf(frame)));
const down = ({ edge, cloud }: ReturnType<typeof pair>, message: Downstream): Downstream => {
  const [received] = edge.decode(frameOf(cloud.encode(message)));
  assert.ok(received?.ok);
  return received.message;
};

const questions: readonly Upstream[] = [
  { ...base, kind: 'object.get', ref: node },
  { ...base, kind: 'object.create', ref, object },
  { ...base, kind: 'object.update', ref, object },
  { ...base, kind: 'node.status', ref: node, patch: '{"status":{"a":"\\"quoted\\""}}' },
  { ...base, kind: 'pod.status', ref, patch: '{"metadata":{"uid":"u"},"status":{"phase":"Running"}}' },
  { ...base, kind: 'pod.delete', ref, uid: uid('u'), gracePeriodSeconds: 0 },
  { ...base, kind: 'pod.delete', ref, uid: undefined, gracePeriodSeconds: 30 },
  { ...base, kind: 'token.request', namespace: 'default', serviceAccount: 'sa', request: object },
  { ...base, kind: 'ca.get' },
];

for (const question of questions) {
  test(`a dense ${question.kind} means the same at the other side, and its answer finds back`, () => {
    const link = pair();
    const [read] = up(link, question);
    assert.deepEqual({ ...read, id }, question);
    const reply = {
      kind: 'reply',
      id: messageId('r'),
      at: 7,
      to: read!.id,
      question: undefined,
      ref: undefined,
    } as const;
    const answer = down(link, { ...reply, outcome: { ok: true, value: object }, wantsAck: false });
    assert.ok(answer.kind === 'reply');
    assert.equal(answer.to, id);
    assert.deepEqual(answer.outcome, { ok: true, value: object });
  });
}

test('a failed answer keeps its whole status', () => {
  const link = pair();
  const [asked] = up(link, { ...base, kind: 'object.get', ref });
  const status = failure('NotFound', 'pods "web-0" not found', { name: 'web-0', kind: 'pods' });
  const reply = { kind: 'reply', id: messageId('r'), at: 7, to: asked!.id, question: 'object.get', ref } as const;
  const read = down(link, { ...reply, outcome: { ok: false, status }, wantsAck: true });
  assert.ok(read.kind === 'reply');
  assert.deepEqual(read.outcome, { ok: false, status });
  assert.equal(read.wantsAck, true);
});

test('pushes lose their managedFields, keep all else, and are acknowledged many at a time', () => {
  const link = pair();
  const managed = { ...object, metadata: { ...object.metadata, managedFields: [{ manager: 'kubectl' }] } };
  const put = {
    ...base,
    kind: 'object.put',
    ref,
    version: resourceVersion('5'),
    owner: 'edgecontroller',
    change: 'update',
  } as const;
  const first = down(link, { ...put, object: managed });
  assert.deepEqual({ ...first, id }, { ...put, object });
  const gone = {
    ...base,
    id: messageId('other'),
    kind: 'object.delete',
    ref,
    uid: uid('u'),
    object,
    version: undefined,
    owner: 'devicecontroller',
  } as const;
  const second = down(link, gone);
  assert.ok(second.kind === 'object.delete');
  assert.deepEqual([second.uid, second.owner, second.object.metadata.name], ['u', 'devicecontroller', 'web-0']);

  const ack = (to: Downstream): Upstream => ({
    ...base,
    kind: 'ack',
    to: to.id,
    of: { source: '', group: '', resource: '' },
  });
  assert.equal(link.edge.encode([ack(first), ack(second)]).join(), '[[1,1,2]]');
  assert.deepEqual(
    up(link, ack(first), ack(second)).map((read) => read.kind === 'ack' && read.to),
    [id, 'other'],
  );
});

test('a keepalive is five bytes and its answer two', () => {
  const { edge, cloud } = pair();
  assert.deepEqual(edge.encode([{ ...base, kind: 'keepalive' }]), ['[[0]]']);
  assert.equal(cloud.pulse, '[]');
  assert.deepEqual(edge.decode(frameOf('[]')), []);
});

test('what has no dense form travels as its envelope', () => {
  const raw = {
    header: { msg_id: 'x', timestamp: 1 },
    route: { source: 'servicebus', operation: 'upload' },
    content: 'text',
  };
  const link = pair();
  assert.deepEqual(up(link, { id: messageId('x'), at: 1, kind: 'unknown', raw }), [
    { id: 'x', at: 1, kind: 'unknown', raw },
  ]);
  assert.deepEqual(down(link, { id: messageId('x'), at: 1, kind: 'unknown', raw }), {
    id: 'x',
    at: 1,
    kind: 'unknown',
    raw,
  });
});

test('any list gives messages or an error from the table, on both sides', () => {
  const tuple = fc.tuple(
    fc.integer({ min: -1, max: 15 }),
    fc.oneof(fc.integer(), fc.constant(['pod', 'a', 'b']), fc.jsonValue()),
    fc.oneof(fc.constant(['pod', 'a']), fc.jsonValue()),
    fc.oneof(fc.constant({ metadata: {} }), fc.jsonValue()),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.oneof(fc.array(tuple, { maxLength: 3 }), fc.jsonValue()), (document) => {
      const { edge, cloud } = pair();
      for (const side of [edge, cloud]) {
        try {
          side.decode(frameOf(JSON.stringify(document)));
        } catch (error) {
          assert.match(codeOf(error) ?? String(error), /^HUB_PEER_/);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure, type Status } from '@kedge/model/k8s';
import { messageId, type Downstream, type ObjectRef } from '@kedge/model/messages';
import { downstreamFromWire, downstreamToWire } from './index.ts';

type Reply = Extract<Downstream, { kind: 'reply' }>;

const ref = (type: string, namespace: string | undefined = 'default'): ObjectRef => ({ type, namespace, name: 'x' });
const reply = (question: Reply['question'], of: ObjectRef, outcome: Reply['outcome'], address?: string): Reply => ({
  kind: 'reply',
  id: messageId('r1'),
  at: 1,
  to: messageId('q1'),
  question,
  ref: of,
  address,
  outcome,
  wantsAck: false,
});
const ok = (value?: unknown): Reply['outcome'] => ({ ok: true, value });
const missing: Status = failure('NotFound', 'x not found');
const failed: Reply['outcome'] = { ok: false, status: missing };
const { apiVersion: _, kind: __, ...bare } = missing;
const errStatus = { ErrStatus: bare };
const object = { metadata: { name: 'x' } };

// What a real edge decodes, by question and type of object.
const forms: readonly [Reply['question'], ObjectRef, Reply['outcome'], string, unknown][] = [
  ['object.get', ref('node', undefined), ok(object), 'response', object],
  ['object.get', ref('node', undefined), failed, 'response', errStatus],
  ['object.get', ref('configmap'), ok(object), 'response', object],
  ['object.get', ref('configmap'), failed, 'error', 'x not found'],
  ['object.get', ref('secret'), failed, 'error', 'x not found'],
  ['object.get', ref('persistentvolume', undefined), failed, 'error', 'x not found'],
  ['object.get', ref('persistentvolumeclaim'), failed, 'error', 'x not found'],
  ['object.get', ref('volumeattachment', undefined), failed, 'error', 'x not found'],
  ['object.get', ref('lease', 'kube-node-lease'), ok(object), 'response', { Object: object, Err: null }],
  ['object.get', ref('lease', 'kube-node-lease'), failed, 'response', { Object: null, Err: errStatus }],
  ['object.create', ref('node', undefined), ok(object), 'response', { Object: object, Err: null }],
  ['object.create', ref('pod'), ok(undefined), 'response', { Object: {}, Err: null }],
  ['object.update', ref('lease', 'kube-node-lease'), ok(object), 'response', { Object: object, Err: null }],
  ['object.update', ref('node', undefined), ok(object), 'response', 'OK'],
  ['node.status', ref('node', undefined), failed, 'response', { Object: null, Err: errStatus }],
  ['pod.status', ref('pod'), ok(object), 'response', { Object: object, Err: null }],
  ['pod.delete', ref('pod'), ok(), 'response', 'OK'],
  ['pod.delete', ref('pod'), failed, 'response', errStatus],
  ['token.request', ref('serviceaccounttoken'), ok(object), 'response', object],
  ['token.request', ref('serviceaccounttoken'), failed, 'response', errStatus],
];

for (const [question, of, outcome, operation, content] of forms) {
  test(`a ${outcome.ok ? 'successful' : 'failed'} ${question} of a ${of.type} is answered with ${JSON.stringify(content).slice(0, 40)}`, () => {
    const raw = downstreamToWire(reply(question, of, outcome));
    assert.equal(raw.route.operation, operation);
    assert.deepEqual(raw.content, content);
    const read = downstreamFromWire(raw);
    assert.equal(read.kind === 'reply' && read.outcome.ok, outcome.ok);
  });
}

test('a failure without details is still a failure for a Go edge', () => {
  const raw = downstreamToWire(reply('pod.status', ref('pod'), { ok: false, status: {} }));
  assert.deepEqual(raw.content, {
    Object: null,
    Err: {
      ErrStatus: {
        metadata: {},
        status: 'Failure',
        message: 'the request failed',
        reason: 'InternalError',
        code: 500,
      },
    },
  });
});

test('a reply repeats the address of its question, whatever version spelled it', () => {
  for (const address of ['default/node/x', 'null/node/x']) {
    const raw = downstreamToWire(reply('object.get', ref('node', undefined), ok(object), address));
    assert.equal(raw.route.resource, address);
  }
});

const answer = (content: unknown, operation = 'response') => {
  const read = downstreamFromWire({
    header: { msg_id: 'r1', parent_msg_id: 'q1', timestamp: 1 },
    route: { source: 'edgecontroller', group: 'resource', operation, resource: 'default/configmap/x' },
    content,
  });
  assert.ok(read.kind === 'reply');
  return read.outcome;
};

const failures: readonly [name: string, content: unknown, reason: string, operation?: string][] = [
  ['an error document', { ErrStatus: { status: 'Failure', reason: 'NotFound', code: 404 } }, 'NotFound'],
  ['an error document in a string', '{"ErrStatus":{"status":"Failure","reason":"Forbidden"}}', 'Forbidden'],
  ['an error without status', { ErrStatus: { metadata: {} } }, 'InternalError'],
  ['an empty document', {}, 'InternalError'],
  ['a Status', { kind: 'Status', status: 'Failure', reason: 'Gone' }, 'Gone'],
  ['neither object nor error', { Object: null, Err: null }, 'InternalError'],
  ['an error beside an empty object', { Object: {}, Err: { ErrStatus: { reason: 'Invalid' } } }, 'Invalid'],
  ['the operation error', 'configmaps "x" not found', 'InternalError', 'error'],
  ['null', null, 'InternalError'],
  ['text that is no document', 'go away', 'InternalError'],
];

for (const [name, content, reason, operation] of failures) {
  test(`${name} is never taken for an object`, () => {
    const outcome = answer(content, operation);
    assert.equal(!outcome.ok && outcome.status.reason, reason);
  });
}

test('an object in a string, and beside the zero value of an error, is an object', () => {
  const configMap = { kind: 'ConfigMap', metadata: { name: 'x' } };
  for (const content of [
    configMap,
    JSON.stringify(configMap),
    { Object: configMap, Err: { ErrStatus: {} } },
    { Object: configMap, Err: { ErrStatus: { metadata: {} } } },
  ]) {
    assert.deepEqual(answer(content), { ok: true, value: configMap });
  }
});

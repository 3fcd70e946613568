import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawMessage } from '@kedge/model/messages';
import { upstreamFromWire } from './index.ts';

const raw = (operation: string, resource: string, content: unknown = null, source = 'edged'): RawMessage => ({
  header: { msg_id: 'm1', timestamp: 1 },
  route: { source, group: 'meta', operation, resource },
  content,
});
const object = { metadata: { name: 'x' } };

const meanings: readonly [RawMessage, kind: string, more?: Record<string, unknown>][] = [
  [raw('query', 'default/node/n'), 'object.get', { ref: { type: 'node', namespace: undefined, name: 'n' } }],
  [raw('query', 'null/node/n'), 'object.get', { ref: { type: 'node', namespace: undefined, name: 'n' } }],
  [raw('query', 'null/persistentvolume/v'), 'object.get'],
  [raw('query', 'ns/podlist/x'), 'unknown'],
  [raw('query', 'k8s/ca.crt', null, 'metamanager'), 'ca.get'],
  [raw('insert', 'ns/pod/p', object), 'object.create', { ref: { type: 'pod', namespace: 'ns', name: 'p' } }],
  [raw('insert', 'ns/pod/p', JSON.stringify(object)), 'object.create', { object }],
  [raw('patch', 'ns/podpatch/p', '{"status":{}}'), 'pod.status', { patch: '{"status":{}}' }],
  [raw('patch', 'ns/podpatch/p', { status: {} }), 'pod.status', { patch: '{"status":{}}' }],
  [raw('patch', 'null/nodepatch/n', '{}'), 'node.status', { ref: { type: 'node', namespace: undefined, name: 'n' } }],
  [raw('delete', 'ns/pod/p', 'uid-1'), 'pod.delete', { uid: 'uid-1', gracePeriodSeconds: 0 }],
  [raw('delete', 'ns/pod/p', { gracePeriodSeconds: 30 }), 'pod.delete', { uid: undefined, gracePeriodSeconds: 30 }],
  [raw('delete', 'ns/secret/p'), 'unknown'],
  [raw('insert', 'ns/event/e', object), 'event.put', { change: 'insert' }],
  [raw('patch', 'ns/event/e', { event: object, patchData: '{}' }), 'event.patch', { patch: '{}' }],
  [
    raw('update', 'ns/podstatus', [{ UID: 'u', Name: 'p', Status: { phase: 'Running' } }]),
    'legacy.status',
    { reports: [{ uid: 'u', name: 'p', status: { phase: 'Running' } }] },
  ],
  [
    raw('update', 'default/nodestatus/n', { UID: 'u', Status: { phase: 'x' } }),
    'legacy.status',
    { of: 'node', reports: [{ uid: 'u', name: 'n', status: { phase: 'x' } }] },
  ],
  [raw('keepalive', 'node', 'ping', 'websocket'), 'keepalive'],
  [raw('upload', 'topic', 'text', 'bus'), 'bus.upload', { topic: 'topic', payload: 'text' }],
  [raw('upload', '', 'text', 'bus'), 'unknown'],
  [raw('upload', 'topic', { no: 'text' }, 'bus'), 'unknown'],
];

for (const [message, kind, more = {}] of meanings) {
  test(`${message.route.operation} ${message.route.resource} means ${kind}`, () => {
    const read = upstreamFromWire(message) as unknown as Record<string, unknown>;
    assert.equal(read['kind'], kind);
    for (const [field, value] of Object.entries(more)) assert.deepEqual(read[field], value, field);
  });
}

test('an answer of a volume driver is no acknowledgement', () => {
  const result = raw('response', 'default/volume/v', {}, 'cloudhub');
  const read = upstreamFromWire({ ...result, header: { ...result.header, parent_msg_id: 'q' } });
  assert.equal(read.kind, 'unknown');
});

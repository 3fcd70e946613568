import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '@kedge/model/k8s';
import { type DeviceReport, type Downstream, messageId, type RawMessage } from '@kedge/model/messages';
import {
  createDenseCloudCodec,
  createDenseEdgeCodec,
  downstreamFromWire,
  downstreamToWire,
  upstreamFromWire,
  upstreamToWire,
} from './index.ts';

const base = { id: messageId('m1'), at: 7 };
const device = { namespace: 'default', name: 'thermo-1' };
const event = { event: 'e1', reportedAt: 1_795_385_226_452 };
const frameOf = (text: string) => ({ data: new TextEncoder().encode(text), binary: false });

const reports: readonly DeviceReport[] = [
  {
    ...base,
    kind: 'twin.report',
    device,
    ...event,
    twins: {
      temperature: {
        expected: { value: '30', metadata: { timestamp: 3 } },
        actual: { value: 'a "b"\u00e9', metadata: { timestamp: 4 } },
        optional: true,
        metadata: { type: 'string' },
        expected_version: { cloud: 0, edge: 7 },
        actual_version: { cloud: 0, edge: 8 },
      },
      gone: null,
    },
  },
  { ...base, kind: 'device.state', device, ...event, state: 'online', lastOnlineTime: '2026-01-01T00:00:00Z' },
  { ...base, kind: 'device.state', device, ...event, state: 'offline', lastOnlineTime: '' },
  {
    ...base,
    kind: 'device.conditions',
    device,
    conditions: [{ type: 'Communicating', status: 'False', reason: 'Timeout', message: 'no answer', since: 5 }],
  },
  {
    ...base,
    kind: 'samples.report',
    device,
    property: 'temperature',
    stream: 's1',
    firstSequence: 12,
    samples: [
      { at: 1, value: '1' },
      { at: 2, value: '' },
    ],
    replayed: true,
  },
];

for (const report of reports) {
  test(`a ${report.kind} means the same at the other side, plain and dense`, () => {
    assert.deepEqual(upstreamFromWire(JSON.parse(JSON.stringify(upstreamToWire(report)))), report);
    const [edge, cloud] = [createDenseEdgeCodec(() => 7), createDenseCloudCodec(() => 7)];
    const [read] = edge.encode([report]).flatMap((frame) => cloud.decode(frameOf(frame)));
    assert.deepEqual({ ...read, id: base.id }, report);
  });

  test(`the confirmation of a ${report.kind} is what an upstream edge takes for one`, () => {
    const reply = { ...base, kind: 'reply', to: messageId('q'), question: report.kind, ref: undefined } as const;
    const confirmed = downstreamToWire({ ...reply, outcome: { ok: true, value: undefined }, wantsAck: false });
    assert.deepEqual(confirmed.route, {
      source: 'devicecontroller',
      group: 'twin',
      operation: 'response',
      resource: 'twin',
    });
    assert.equal(confirmed.content, 'OK');
    const status = failure('NotFound', 'no such device');
    const refused = downstreamToWire({ ...reply, outcome: { ok: false, status }, wantsAck: false });
    const read = downstreamFromWire(refused);
    assert.ok(read.kind === 'reply' && !read.outcome.ok);
    assert.equal(read.outcome.status.message, 'no such device');
  });
}

const memberships: readonly Downstream[] = [
  { ...base, kind: 'membership.update', event: 'e', added: [{ device, description: 'text' }], removed: [] },
  { ...base, kind: 'membership.update', event: 'e', added: [], removed: [{ device }] },
  { ...base, kind: 'membership.detail', event: 'e', devices: [{ device }] },
  { ...base, kind: 'membership.detail', event: 'e', devices: [] },
];

for (const message of memberships) {
  test(`a ${message.kind} means the same at the other side`, () => {
    assert.deepEqual(downstreamFromWire(JSON.parse(JSON.stringify(downstreamToWire(message)))), message);
  });
}

const raw = (resource: string, content: unknown): RawMessage => ({
  header: { msg_id: 'm1', timestamp: 1 },
  route: { source: 'twin', group: 'resource', operation: 'update', resource },
  content,
});

const senseless: readonly [string, RawMessage][] = [
  ['no device', raw('device//thermo-1/twin/edge_updated', { twin: {} })],
  ['a name of another depth', raw('device/a/b/c/twin/edge_updated', { twin: {} })],
  ['no twins', raw('device/default/thermo-1/twin/edge_updated', { twin: [] })],
  ['no document', raw('device/default/thermo-1/twin/edge_updated', 'x')],
  ['no state', raw('device/default/thermo-1/state/update', { device: {} })],
  ['samples without a stream', raw('device/default/thermo-1/samples/update', { property: 'p', samples: [] })],
];

for (const [what, message] of senseless) {
  test(`a report with ${what} is kept as an unknown message`, () => {
    assert.equal(upstreamFromWire(message).kind, 'unknown');
  });
}

test('a twin that is none is left out, the others stay', () => {
  const read = upstreamFromWire(
    raw('device/default/thermo-1/twin/edge_updated', {
      twin: { good: { actual: { value: '1' } }, bad: { actual: 3 } },
    }),
  );
  assert.ok(read.kind === 'twin.report');
  assert.deepEqual(read.twins, { good: { actual: { value: '1' } } });
});

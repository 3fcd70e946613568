import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints, EndpointSlice } from '@kedge/model/k8s-types';
import { isMirrored, planMirrors } from './mirror-slices.ts';

const endpoints = (subsets: Endpoints['subsets'], metadata: Partial<Endpoints['metadata']> = {}): Endpoints => ({
  metadata: { name: 'db', namespace: 'shop', uid: 'u', labels: { app: 'db' }, ...metadata },
  ...(subsets ? { subsets } : {}),
});
const http = [{ name: 'http', port: 80 }];
const say = ({ addressType, endpoints: all, ports }: EndpointSlice): string =>
  `${addressType} ${all.map((one) => `${one.addresses[0]}${one.conditions?.ready ? '' : '!'}`).join(' ')} :${ports?.map(({ port }) => port).join()}`;

test('a slice for each subset and family, ready or not, with whose it is', () => {
  const plan = planMirrors(
    endpoints([
      { addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], notReadyAddresses: [{ ip: '10.0.0.2' }], ports: http },
      { addresses: [{ ip: '10.0.0.3' }], ports: [{ port: 443 }] },
    ]),
    [],
  );
  assert.deepEqual(plan.create.map(say), ['IPv4 10.0.0.1 10.0.0.2! :80', 'IPv6 fd00::1 :80', 'IPv4 10.0.0.3 :443']);
  assert.deepEqual(plan.create[0]!.metadata.labels, {
    app: 'db',
    'kubernetes.io/service-name': 'db',
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
  });
});

test('what is there already stays, what changed is changed, what is over goes', () => {
  const before = planMirrors(endpoints([{ addresses: [{ ip: '10.0.0.1' }], ports: http }]), []).create;
  const same = planMirrors(endpoints([{ addresses: [{ ip: '10.0.0.1' }], ports: http }]), before);
  assert.deepEqual(same, { create: [], update: [], delete: [] });
  const moved = planMirrors(endpoints([{ addresses: [{ ip: '10.0.0.9' }], ports: http }]), before);
  assert.deepEqual([moved.create, moved.update.map(say), moved.delete], [[], ['IPv4 10.0.0.9 :80'], []]);
  assert.deepEqual(planMirrors(undefined, before).delete, before);
});

test('records of elections and what says so are not mirrored', () => {
  assert.equal(isMirrored(endpoints([])), true);
  assert.equal(isMirrored(endpoints([], { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } })), false);
  assert.equal(isMirrored(endpoints([], { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } })), false);
});

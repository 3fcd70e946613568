import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { KubeObject, ManagedFieldsEntry } from '../k8s/index.ts';
import { isStatus } from '../k8s/index.ts';
import { loadBuiltinSchemas, shapeOf } from '../k8s-schema/index.ts';
import { serverSideApply, setOfFields, trackUpdate } from './index.ts';
import type { Apply, Shape } from './index.ts';

const shapes = new Map<string, Shape>();
before(async () => {
  const schemas = await loadBuiltinSchemas();
  for (const [apiVersion, kind] of [
    ['apps/v1', 'Deployment'],
    ['v1', 'Service'],
    ['v1', 'ConfigMap'],
  ] as const) {
    shapes.set(kind, shapeOf(schemas.ofKind(apiVersion, kind)!));
  }
});

const how = (kind: string, manager: string, more: Partial<Apply> = {}): Apply => ({
  manager,
  apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
  subresource: '',
  now: '2026-01-01T00:00:00Z',
  shape: shapes.get(kind),
  force: false,
  ...more,
});

const configMap = (data: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'cm', ...metadata },
  data,
});
const service = (ports: object[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { ports },
});
const deployment = (spec: object): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec,
});

const owned = (object: KubeObject, manager: string): ManagedFieldsEntry | undefined =>
  object.metadata.managedFields?.find((entry) => entry.manager === manager);

describe('server-side apply', () => {
  it('creates an object that the applier owns, without the fields of identity', () => {
    const object = serverSideApply(undefined, configMap({ a: '1' }, { labels: { app: 'x' } }), how('ConfigMap', 'me'));
    assert.deepEqual(object.metadata.managedFields, [
      {
        manager: 'me',
        operation: 'Apply',
        apiVersion: 'v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:app': {} } } },
      },
    ]);
  });

  it('changes nothing, not even the time, when applied again', () => {
    const applied = configMap({ a: '1' });
    const first = serverSideApply(undefined, applied, how('ConfigMap', 'me'));
    const second = serverSideApply(first, applied, how('ConfigMap', 'me', { now: '2027-01-01T00:00:00Z' }));
    assert.deepEqual(second, first);
  });

  it('removes what the applier no longer states, and keeps what others own', () => {
    const mine = serverSideApply(undefined, configMap({ a: '1', b: '2', c: '3' }), how('ConfigMap', 'me'));
    const ours = serverSideApply(mine, configMap({ b: '2' }), how('ConfigMap', 'you'));
    const after = serverSideApply(ours, configMap({ a: '1' }), how('ConfigMap', 'me'));
    assert.deepEqual(after['data'], { a: '1', b: '2' });
    assert.deepEqual(owned(after, 'me')?.fieldsV1, { 'f:data': { 'f:a': {} } });
    assert.deepEqual(owned(after, 'you')?.fieldsV1, { 'f:data': { 'f:b': {} } });
  });

  it('removes a map when its last key goes', () => {
    const mine = serverSideApply(undefined, configMap({ a: '1' }, { labels: { app: 'x' } }), how('ConfigMap', 'me'));
    const after = serverSideApply(mine, configMap({ a: '1' }), how('ConfigMap', 'me'));
    assert.equal('labels' in after.metadata, false);
  });

  it('refuses to change the field of another owner, naming both', () => {
    const mine = serverSideApply(undefined, configMap({ a: '1' }), how('ConfigMap', 'me'));
    assert.throws(
      () => serverSideApply(mine, configMap({ a: '2' }), how('ConfigMap', 'you')),
      (error) =>
        isStatus(error, 'Conflict') &&
        error.message === 'Apply failed with 1 conflict: conflict with "me": .data.a' &&
        error.status.details?.causes?.[0]?.reason === 'FieldManagerConflict',
    );
  });

  it('lists several conflicts by owner', () => {
    const updated = trackUpdate(undefined, deployment({ replicas: 1, paused: false }), how('Deployment', 'editor'));
    assert.throws(
      () => serverSideApply(updated, deployment({ replicas: 2, paused: true }), how('Deployment', 'me')),
      /^StatusError: Apply failed with 2 conflicts: conflicts with "editor" using apps\/v1:\n- \.spec\.paused\n- \.spec\.replicas$/,
    );
  });

  it('takes fields from their owner when forced', () => {
    const mine = serverSideApply(undefined, configMap({ a: '1', b: '1' }), how('ConfigMap', 'me'));
    const after = serverSideApply(mine, configMap({ a: '2' }), how('ConfigMap', 'you', { force: true }));
    assert.deepEqual(after['data'], { a: '2', b: '1' });
    assert.deepEqual(owned(after, 'me')?.fieldsV1, { 'f:data': { 'f:b': {} } });
    assert.deepEqual(owned(after, 'you')?.fieldsV1, { 'f:data': { 'f:a': {} } });
  });

  it('shares a field that both state alike', () => {
    const mine = serverSideApply(undefined, configMap({ a: '1' }), how('ConfigMap', 'me'));
    const shared = serverSideApply(mine, configMap({ a: '1' }), how('ConfigMap', 'you'));
    assert.deepEqual(owned(shared, 'me')?.fieldsV1, owned(shared, 'you')?.fieldsV1);
    assert.throws(() => serverSideApply(shared, configMap({ a: '2' }), how('ConfigMap', 'me')), /conflict with "you"/);
  });

  it('tells list elements apart by their keys, defaults of keys included', () => {
    const first = serverSideApply(undefined, service([{ port: 80 }]), how('Service', 'me'));
    const live = { ...first, spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] } };
    const second = serverSideApply(live, service([{ port: 80 }, { port: 80, protocol: 'UDP' }]), how('Service', 'me'));
    assert.deepEqual(second['spec'], {
      ports: [
        { port: 80, protocol: 'TCP', targetPort: 80 },
        { port: 80, protocol: 'UDP' },
      ],
    });
    const third = serverSideApply(second, service([{ port: 80, protocol: 'UDP' }]), how('Service', 'me'));
    assert.deepEqual(third['spec'], { ports: [{ port: 80, protocol: 'UDP' }] });
  });

  it('orders elements as applied and leaves foreign ones in place', () => {
    const names = (object: KubeObject): unknown =>
      (object['spec'] as { template: { spec: { containers: { name: string }[] } } }).template.spec.containers.map(
        ({ name }) => name,
      );
    const of = (...containers: string[]) =>
      deployment({ template: { spec: { containers: containers.map((name) => ({ name })) } } });
    const foreign = serverSideApply(undefined, of('sidecar', 'a', 'b'), how('Deployment', 'injector'));
    const applied = serverSideApply(foreign, of('b', 'new', 'a'), how('Deployment', 'me'));
    assert.deepEqual(names(applied), ['sidecar', 'b', 'new', 'a']);
  });

  it('refuses duplicate elements and elements without keys', () => {
    const twice = service([{ port: 80 }, { port: 80, protocol: 'TCP' }]);
    const live = serverSideApply(undefined, service([{ port: 1 }]), how('Service', 'x'));
    assert.throws(
      () => serverSideApply(live, twice, how('Service', 'me')),
      /duplicate entries for key \[port=80,protocol="TCP"\]/,
    );
    assert.throws(
      () => serverSideApply(live, service([{ name: 'x' }]), how('Service', 'me')),
      /omits key field "port"/,
    );
  });

  it('gives an untracked object to before-first-apply', () => {
    const after = serverSideApply(configMap({ a: '1' }), configMap({ b: '2' }), how('ConfigMap', 'me'));
    assert.deepEqual(owned(after, 'before-first-apply')?.fieldsV1, { 'f:data': { '.': {}, 'f:a': {} } });
    assert.deepEqual(after['data'], { a: '1', b: '2' });
  });

  it('owns nothing of what states nothing, so that the next one meets an untracked object', () => {
    // As Kubernetes has it: an empty granular list has no fields, and a manager without fields is no manager.
    const created = serverSideApply(undefined, service([]), how('Service', 'me'));
    assert.equal(created.metadata.managedFields, undefined);
    const again = serverSideApply(created, { ...service([]), spec: { type: 'NodePort' } }, how('Service', 'me'));
    assert.deepEqual(owned(again, 'me')?.fieldsV1, { 'f:spec': { 'f:type': {} } });
    assert.deepEqual(owned(again, 'before-first-apply')?.fieldsV1, { 'f:spec': { '.': {}, 'f:ports': {} } });
  });

  it('does not own ignored fields', () => {
    const applied = { ...deployment({ replicas: 1 }), status: { replicas: 3 } };
    const object = serverSideApply(undefined, applied, how('Deployment', 'me', { ignored: setOfFields('status') }));
    assert.deepEqual(owned(object, 'me')?.fieldsV1, { 'f:spec': { 'f:replicas': {} } });
  });

  it('lets kubectl take over what it applied from the client', () => {
    const configuration = configMap({ a: '1' });
    const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
    const annotated = configMap({ a: '1' }, { annotations: { [annotation]: JSON.stringify(configuration) } });
    const live = trackUpdate(undefined, annotated, how('ConfigMap', 'kubectl-client-side-apply'));
    const after = serverSideApply(live, configMap({ a: '2' }), how('ConfigMap', 'kubectl'));
    assert.deepEqual(after['data'], { a: '2' });
    assert.deepEqual(JSON.parse(after.metadata.annotations![annotation]!), configMap({ a: '2' }));
    assert.throws(
      () => serverSideApply(live, configMap({ a: '2' }), how('ConfigMap', 'other')),
      /conflict with "kubectl-client/,
    );
  });

  it('refuses another version and a configuration with owners', () => {
    const wrong = { ...configMap({}), apiVersion: 'v2' };
    assert.throws(
      () => serverSideApply(undefined, wrong, how('ConfigMap', 'me')),
      /Specified patch version: v2, expected: v1/,
    );
    const managed = configMap({}, { managedFields: [] });
    assert.throws(
      () => serverSideApply(undefined, managed, how('ConfigMap', 'me')),
      /metadata.managedFields must be nil/,
    );
  });
});

describe('tracking of updates', () => {
  it('gives a created object to its creator, maps and elements included', () => {
    const object = trackUpdate(undefined, service([{ port: 80, protocol: 'TCP' }]), how('Service', 'kubectl-create'));
    assert.deepEqual(owned(object, 'kubectl-create')?.fieldsV1, {
      'f:spec': {
        '.': {},
        'f:ports': { '.': {}, 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} } },
      },
    });
  });

  it('moves changed fields to the updater and drops removed ones', () => {
    const created = trackUpdate(undefined, configMap({ a: '1', b: '1', c: '1' }), how('ConfigMap', 'creator'));
    const edited = { ...created, data: { a: '2', b: '1' } };
    const after = trackUpdate(created, edited, how('ConfigMap', 'editor', { now: '2026-02-01T00:00:00Z' }));
    assert.deepEqual(owned(after, 'creator')?.fieldsV1, { 'f:data': { '.': {}, 'f:b': {} } });
    assert.deepEqual(owned(after, 'editor')?.fieldsV1, { 'f:data': { 'f:a': {} } });
    assert.equal(owned(after, 'editor')?.time, '2026-02-01T00:00:00Z');
  });

  it('keeps owners that a client sent back empty, and resets them on request', () => {
    const created = trackUpdate(undefined, configMap({ a: '1' }), how('ConfigMap', 'creator'));
    const unaware = trackUpdate(created, configMap({ a: '1' }), how('ConfigMap', 'other'));
    assert.deepEqual(unaware.metadata.managedFields, created.metadata.managedFields);
    const reset = trackUpdate(created, configMap({ a: '1' }, { managedFields: [{}] }), how('ConfigMap', 'other'));
    assert.equal(reset.metadata.managedFields, undefined);
  });

  it('leaves the refusal of elements without keys to validation', () => {
    const created = trackUpdate(undefined, service([{ name: 'x' }]), how('Service', 'me'));
    const { 'f:spec': spec } = owned(created, 'me')!.fieldsV1! as Record<string, Record<string, object>>;
    assert.deepEqual(Object.keys(spec!['f:ports']!), ['.', 'i:0']);
  });

  it('keeps updates through a subresource apart', () => {
    const created = trackUpdate(undefined, deployment({ replicas: 1 }), how('Deployment', 'me'));
    const status = { ...created, status: { replicas: 1 } };
    const after = trackUpdate(created, status, how('Deployment', 'me', { subresource: 'status' }));
    assert.deepEqual(
      after.metadata.managedFields?.map(({ subresource }) => subresource),
      [undefined, 'status'],
    );
  });

  it('joins the oldest updaters when there are too many', () => {
    let object = trackUpdate(undefined, configMap({ k0: '0' }), how('ConfigMap', 'm0'));
    for (let i = 1; i <= 12; i += 1) {
      const data = { ...(object['data'] as object), [`k${i}`]: '1' };
      const now = `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`;
      object = trackUpdate(object, { ...object, data }, how('ConfigMap', `m${i}`, { now }));
    }
    assert.equal(object.metadata.managedFields?.length, 10);
    assert.deepEqual(Object.keys(owned(object, 'ancient-changes')?.fieldsV1?.['f:data'] ?? {}), [
      '.',
      'f:k0',
      'f:k1',
      'f:k2',
      'f:k3',
    ]);
  });
});

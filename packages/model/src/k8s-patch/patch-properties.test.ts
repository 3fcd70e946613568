// What holds for every object and patch, checked on generated ones.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { KubeObject } from '../k8s/index.ts';
import { isStatus } from '../k8s/index.ts';
import { loadBuiltinSchemas, shapeOf } from '../k8s-schema/index.ts';
import { isObject, jsonEqual, serverSideApply, strategicMerge, trackUpdate } from './index.ts';
import type { Apply, JsonObject, Shape } from './index.ts';

let shape: Shape;
before(async () => {
  shape = shapeOf((await loadBuiltinSchemas()).ofKind('v1', 'Service')!);
});

/** The same objects in every run: what fails once fails always. Searching with other seeds is for whoever changes the code. */
const check = <T>(property: fc.IProperty<T>): void => fc.assert(property, { seed: 132, numRuns: 300 });

const maybe = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(values, { nil: undefined });
const present = (record: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

const port = fc.constantFrom(80, 81, 82, 83);
const ports = fc
  .uniqueArray(fc.record({ port, name: fc.constantFrom('a', 'b'), nodePort: maybe(fc.constantFrom(1, 2)) }), {
    selector: (item) => item.port,
    maxLength: 4,
  })
  .map((list) => list.map((item): Record<string, unknown> => present(item)));
const labels = fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2'), { maxKeys: 3 });
const finalizers = fc.uniqueArray(fc.constantFrom('a/1', 'a/2', 'a/3'), { maxLength: 3 });

const services = fc
  .record({
    labels: maybe(labels),
    finalizers: maybe(finalizers),
    ports: maybe(ports),
    selector: maybe(labels),
    type: maybe(fc.constantFrom('ClusterIP', 'NodePort')),
  })
  .map(({ labels: own, finalizers: held, ...spec }): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', ...present({ labels: own, finalizers: held }) },
    spec: present(spec),
  }));

const how = (manager: string, force = false): Apply => ({
  manager,
  apiVersion: 'v1',
  subresource: '',
  now: '2026-01-01T00:00:00Z',
  shape,
  force,
});

/** Everything that `part` states is in `whole`; stating emptiness states nothing. */
function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return part.every((item) => Array.isArray(whole) && whole.some((other) => contains(other, item)));
  }
  if (!isObject(part)) return jsonEqual(whole, part);
  return Object.entries(part).every(([name, field]) => contains(isObject(whole) ? whole[name] : undefined, field));
}

const ownedBy = ({ metadata }: KubeObject, manager: string): unknown =>
  metadata.managedFields?.filter((entry) => entry.manager === manager);

const sorted = (object: KubeObject): unknown =>
  JSON.parse(
    JSON.stringify(object, (_, value: unknown) =>
      Array.isArray(value) ? value.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : value,
    ),
  );

describe('a strategic merge patch', () => {
  it('that is empty changes nothing', () => {
    check(fc.property(services, (object) => assert.deepEqual(strategicMerge(object, {}, shape), object)));
  });

  it('leaves what it states in the object, and stating it again changes nothing', () => {
    check(
      fc.property(services, services, (object, patch) => {
        const once = strategicMerge(object, patch, shape);
        const twice = strategicMerge(once, patch, shape);
        assert.deepEqual(twice, once);
        assert.ok(contains(once, patch));
      }),
    );
  });

  it('reads any JSON without harm', () => {
    check(
      fc.property(
        services,
        fc.dictionary(
          fc.constantFrom('spec', 'metadata', '$patch', '$setElementOrder/ports', '$retainKeys'),
          fc.jsonValue(),
        ),
        (object, patch) => {
          try {
            strategicMerge(object, patch as JsonObject, shape);
          } catch (error) {
            assert.ok(isStatus(error, 'BadRequest'), String(error));
          }
        },
      ),
    );
  });
});

describe('a server-side apply', () => {
  it('leaves exactly what is stated in an object of its own', () => {
    check(
      fc.property(services, services, (first, second) => {
        const created = serverSideApply(undefined, first, how('me'));
        const changed = serverSideApply(created, second, how('me'));
        const fresh = serverSideApply(undefined, second, how('me'));
        assert.ok(contains(changed, second));
        // Of itself: where the first stated nothing, nobody owned the object, and what was in it is `before-first-apply`'s.
        assert.deepEqual(ownedBy(changed, 'me'), ownedBy(fresh, 'me'));
      }),
    );
  });

  it('changes nothing when repeated', () => {
    check(
      fc.property(services, services, (live, applied) => {
        const tracked = trackUpdate(undefined, live, how('creator'));
        const once = serverSideApply(tracked, applied, how('me', true));
        assert.deepEqual(serverSideApply(once, applied, how('me')), once);
      }),
    );
  });

  it('by two managers that agree does not depend on their order', () => {
    check(
      fc.property(services, services, (a, b) => {
        const inOrder = (first: KubeObject, second: KubeObject) =>
          serverSideApply(serverSideApply(undefined, first, how('1')), second, how('2'));
        try {
          const [ab, ba] = [inOrder(a, b), inOrder(b, a)];
          const bare = ({ metadata: { managedFields: _managed, ...metadata }, ...rest }: KubeObject): KubeObject => ({
            ...rest,
            metadata,
          });
          assert.ok(jsonEqual(sorted(bare(ab)), sorted(bare(ba))));
        } catch (error) {
          assert.ok(isStatus(error, 'Conflict'), String(error));
        }
      }),
    );
  });

  it('never takes a field from another owner unless forced', () => {
    check(
      fc.property(services, services, (theirs, mine) => {
        const live = serverSideApply(undefined, theirs, how('them'));
        try {
          assert.ok(contains(serverSideApply(live, mine, how('me')), theirs));
        } catch (error) {
          assert.ok(isStatus(error, 'Conflict'), String(error));
        }
        assert.ok(contains(serverSideApply(live, mine, how('me', true)), mine));
      }),
    );
  });
});

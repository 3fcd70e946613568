import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { isStatus } from '../k8s/index.ts';
import { loadBuiltinSchemas, readBuiltin } from './index.ts';
import type { BuiltinSchemas } from './index.ts';

let schemas: BuiltinSchemas;
before(async () => {
  schemas = await loadBuiltinSchemas();
});

const pod = (spec: object): object => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec });
const read = (object: object, apiVersion = 'v1', kind = 'Pod') =>
  readBuiltin<object>(object, schemas.ofKind(apiVersion, kind)!);

describe('reading a built-in kind', () => {
  it('knows every kind it publishes', () => {
    assert.equal(schemas.nameOfKind('apps/v1', 'Deployment'), 'io.k8s.api.apps.v1.Deployment');
    assert.ok(schemas.ofKind('autoscaling/v2', 'HorizontalPodAutoscaler'));
    assert.equal(schemas.ofKind('example.com/v1', 'Thing'), undefined);
  });

  it('drops unknown fields and says where they were', () => {
    const { value, unknown } = read(pod({ containers: [{ name: 'a', imagee: 'x' }], nodename: 'n' }));
    assert.deepEqual(value, pod({ containers: [{ name: 'a' }] }));
    assert.deepEqual(unknown, ['spec.containers[0].imagee', 'spec.nodename']);
  });

  it('takes null for absence', () => {
    const object = { ...pod({ containers: null, nodeSelector: { a: 'b' } }), status: null };
    assert.deepEqual(read(object).value, pod({ nodeSelector: { a: 'b' } }));
  });

  it('writes quantities and times in their canonical form', () => {
    const { value } = read({
      metadata: { name: 'p', creationTimestamp: '2026-01-01T02:00:00.5+01:00' },
      spec: { containers: [{ name: 'a', resources: { limits: { cpu: 0.5, memory: '1024Mi' } } }] },
    });
    assert.deepEqual(value, {
      metadata: { name: 'p', creationTimestamp: '2026-01-01T01:00:00Z' },
      spec: { containers: [{ name: 'a', resources: { limits: { cpu: '500m', memory: '1Gi' } } }] },
    });
  });

  it('keeps microseconds where Kubernetes does', () => {
    const lease = { metadata: { name: 'l' }, spec: { renewTime: '2026-01-01T00:00:00.123456Z' } };
    assert.deepEqual(read(lease, 'coordination.k8s.io/v1', 'Lease').value, lease);
  });

  it('keeps free-form content as it is', () => {
    const revision = { metadata: { name: 'r' }, data: { spec: { anything: [null, { deep: null }] } }, revision: 1 };
    assert.deepEqual(read(revision, 'apps/v1', 'ControllerRevision').value, revision);
  });

  it('keeps the schema inside a CustomResourceDefinition', () => {
    const crd = {
      metadata: { name: 'x' },
      spec: {
        versions: [
          {
            name: 'v1',
            schema: {
              openAPIV3Schema: { type: 'object', properties: { a: { items: { type: 'string' }, default: [null] } } },
            },
          },
        ],
      },
    };
    assert.deepEqual(read(crd, 'apiextensions.k8s.io/v1', 'CustomResourceDefinition').value, crd);
  });

  const refused: readonly [string, object, string][] = [
    [
      'a number for a string',
      pod({ containers: [{ name: 'a', env: [{ name: 'X', value: 1 }] }] }),
      'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string',
    ],
    [
      'a string for a number',
      pod({ priority: 'high' }),
      'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32',
    ],
    [
      'an object for a list',
      pod({ containers: {} }),
      'cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      'a string for an object',
      { metadata: 'x' },
      'cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta',
    ],
    ['a list for the object', [], 'cannot unmarshal array into Go value of type v1.Pod'],
    [
      'a number for a label',
      { metadata: { labels: { a: 1 } } },
      'cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    ['a number beyond its size', pod({ priority: 2 ** 40 }), 'cannot unmarshal number 1099511627776 into'],
    ['a fraction', pod({ priority: 1.5 }), 'cannot unmarshal number 1.5 into'],
    ['a malformed quantity', pod({ overhead: { cpu: 'lots' } }), 'quantities must match the regular expression'],
    ['a malformed time', { metadata: { creationTimestamp: 'today' } }, 'parsing time "today" as'],
  ];
  for (const [what, object, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => read(object),
        (error) =>
          isStatus(error, 'BadRequest') && (error.message.includes(message) || assert.equal(error.message, message)),
      );
    });
  }

  it('refuses bytes that are not base64', () => {
    assert.throws(() => read({ data: { a: '%%' } }, 'v1', 'Secret'), /illegal base64 data/);
  });
});

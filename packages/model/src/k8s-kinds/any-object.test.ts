// Whatever passes the schema, with every field optional, goes through the rules without a crash.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { KubeObject } from '../k8s/index.ts';
import { builtinResources } from '../k8s-resources/index.ts';
import { loadBuiltinSchemas, readBuiltin } from '../k8s-schema/index.ts';
import type { BuiltinSchemas, Schema } from '../k8s-schema/index.ts';
import { rulesFor } from './index.ts';

let schemas: BuiltinSchemas;
before(async () => {
  schemas = await loadBuiltinSchemas();
});

const words = [
  '',
  'a',
  'Always',
  'RollingUpdate',
  'ClientIP',
  'LoadBalancer',
  'In',
  '10%',
  '1',
  'None',
  'a/b',
  '..',
  'é',
];

/** Values that fit a schema, to a depth that reaches the fields of containers. */
function fitting(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema['x-kubernetes-int-or-string'])
    return fc.oneof(fc.integer({ min: -1, max: 70_000 }), fc.constantFrom(...words));
  switch (schema.type) {
    case 'object':
      return depth <= 0 ? fc.constant({}) : fittingObject(schema, depth);
    case 'array':
      return depth <= 0 ? fc.constant([]) : fc.array(fitting(schema.items ?? {}, depth - 1), { maxLength: 2 });
    case 'string':
      return fittingText(schema);
    case 'integer':
    case 'number':
      return fc.constantFrom(-1, 0, 1, 80, 70_000);
    case 'boolean':
      return fc.boolean();
    default:
      return fc.constant({});
  }
}

function fittingText({ format }: Schema): fc.Arbitrary<unknown> {
  if (format === 'quantity') return fc.constantFrom('0', '500m', '1Gi', '-1', '1e3');
  if (format === 'byte') return fc.constantFrom('', 'YQ==');
  if (format === 'date-time' || format === 'micro-time') return fc.constant('2026-01-01T00:00:00Z');
  return fc.constantFrom(...words);
}

function fittingObject(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const extra = schema.additionalProperties;
  if (typeof extra === 'object')
    return fc.dictionary(fc.constantFrom('a', 'cpu', 'x/y', '..', 'bad key'), fitting(extra, depth - 1), {
      maxKeys: 2,
    });
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, field]) => [name, fitting(field, depth - 1)] as const,
  );
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

describe('the rules of every built-in kind', () => {
  for (const { group, version, kind } of builtinResources.filter((info) => info.verbs.includes('update'))) {
    const apiVersion = group ? `${group}/${version}` : version;
    it(`take any ${kind} of ${apiVersion}`, () => {
      const schema = schemas.ofKind(apiVersion, kind)!;
      const rules = rulesFor(apiVersion, kind);
      const objects = fitting(schema, 10).map((body) => {
        const { value } = readBuiltin<Partial<KubeObject>>(body, schema);
        return { ...value, metadata: value.metadata ?? {} };
      });
      fc.assert(
        fc.property(objects, objects, (a, b) => {
          const [object, old] = [rules.defaults(a), rules.defaults(b)];
          assert.deepEqual(rules.defaults(object), object);
          rules.validate(rules.prepareCreate(object));
          rules.validateUpdate(rules.prepareUpdate(object, old), old);
          assert.ok(Array.isArray(rules.validate(object)));
        }),
        { numRuns: 50 },
      );
    });
  }
});

// Our validation against somebody else's: ajv agrees on generated schemas and values about what is valid.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import type { Schema } from './schema.ts';
import { checkStructuralSchema } from './structural-schema.ts';
import { validateValue } from './validate-value.ts';

const names = fc.constantFrom('a', 'b', 'c');
const small = fc.integer({ min: 0, max: 4 });
const word = fc.constantFrom('', 'a', 'ab', 'abc', 'x1', 'Ünï');

/** Some of the entries of a record. */
const some = (record: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Schema> =>
  fc.record(record, { requiredKeys: [] }) as fc.Arbitrary<Schema>;
const limits = {
  string: {
    minLength: small,
    maxLength: small,
    pattern: fc.constantFrom('^a', '[0-9]$', '^[a-z]*$'),
    enum: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
  },
  number: {
    minimum: small,
    maximum: small,
    exclusiveMinimum: fc.boolean(),
    exclusiveMaximum: fc.boolean(),
    multipleOf: fc.constantFrom(1, 2, 0.5),
  },
  array: { minItems: small, maxItems: small },
  object: { minProperties: small, maxProperties: small, required: fc.uniqueArray(names, { maxLength: 2 }) },
};

const { schema } = fc.letrec<{ schema: Schema; leaf: Schema; list: Schema; object: Schema; map: Schema }>((tie) => {
  const combined = (base: fc.Arbitrary<Schema>, parts: fc.Arbitrary<Schema>): fc.Arbitrary<Schema> =>
    fc
      .tuple(
        base,
        fc.option(
          fc.tuple(fc.constantFrom('allOf', 'anyOf', 'oneOf'), fc.array(parts, { minLength: 1, maxLength: 3 })),
          { nil: undefined },
        ),
        fc.option(parts, { nil: undefined, freq: 4 }),
      )
      .map(([own, several, not]) => ({
        ...own,
        ...(several ? { [several[0]]: several[1] } : {}),
        ...(not ? { not } : {}),
      }));
  const typed = (type: string, more: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Schema> =>
    some(more).map((own) => ({ ...own, type }) as Schema);
  return {
    schema: fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('list'), tie('object'), tie('map')) as fc.Arbitrary<Schema>,
    leaf: fc.oneof(
      combined(typed('string', limits.string), some(limits.string)),
      combined(typed('integer', limits.number), some(limits.number)),
      combined(typed('number', limits.number), some(limits.number)),
      typed('boolean', {}),
      fc.constant<Schema>({ 'x-kubernetes-int-or-string': true }),
      typed('string', {}).map((own) => ({ ...own, nullable: true })),
    ),
    list: fc
      .tuple(typed('array', limits.array), tie('schema'))
      .map(([own, items]) => ({ ...own, items: items as Schema })),
    object: fc
      .tuple(
        combined(typed('object', limits.object), some(limits.object)),
        fc.dictionary(names, tie('schema'), { maxKeys: 3 }),
      )
      .map(([own, properties]) => ({ ...own, properties: properties as Record<string, Schema> })),
    map: fc
      .tuple(typed('object', limits.object), tie('schema'))
      .map(([own, additionalProperties]) => ({ ...own, additionalProperties: additionalProperties as Schema })),
  };
});

/** The same schema in the dialect that ajv speaks. */
function translated(source: Schema): object {
  const { exclusiveMinimum, exclusiveMaximum, minimum, maximum, nullable, ...rest } = source;
  const { 'x-kubernetes-int-or-string': intOrString, ...plain } = rest;
  const all = (parts: readonly Schema[]): object[] => parts.map(translated);
  const inner: Record<string, unknown> = {
    ...plain,
    ...(intOrString ? { type: ['integer', 'string'] } : {}),
    ...(minimum === undefined ? {} : { [exclusiveMinimum ? 'exclusiveMinimum' : 'minimum']: minimum }),
    ...(maximum === undefined ? {} : { [exclusiveMaximum ? 'exclusiveMaximum' : 'maximum']: maximum }),
    ...(source.items ? { items: translated(source.items) } : {}),
    ...(source.properties
      ? {
          properties: Object.fromEntries(
            Object.entries(source.properties).map(([name, field]) => [name, translated(field)]),
          ),
        }
      : {}),
    ...(typeof source.additionalProperties === 'object'
      ? { additionalProperties: translated(source.additionalProperties) }
      : {}),
    ...(source.allOf ? { allOf: all(source.allOf) } : {}),
    ...(source.anyOf ? { anyOf: all(source.anyOf) } : {}),
    ...(source.oneOf ? { oneOf: all(source.oneOf) } : {}),
    ...(source.not ? { not: translated(source.not) } : {}),
  };
  return nullable ? { anyOf: [{ type: 'null' }, inner] } : inner;
}

const { value } = fc.letrec<{ value: unknown; leaf: unknown; list: unknown; object: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('list'), tie('object')),
  leaf: fc.oneof(
    word,
    fc.integer({ min: -1, max: 5 }),
    fc.constantFrom(0.5, 1.25, 2.5),
    fc.boolean(),
    fc.constant(null),
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(names, tie('value'), { maxKeys: 4 }),
}));

/** Mostly of the right type, so that limits get their say. */
function valueFor(of: Schema): fc.Arbitrary<unknown> {
  const fitting = (): fc.Arbitrary<unknown> => {
    if (of['x-kubernetes-int-or-string']) return fc.oneof(word, fc.integer({ min: -1, max: 5 }));
    switch (of.type) {
      case 'string':
        return of.nullable ? fc.option(word) : word;
      case 'integer':
        return fc.integer({ min: -1, max: 5 });
      case 'number':
        return fc.constantFrom(0, 1, 0.5, 1.25, 2.5, 4);
      case 'boolean':
        return fc.boolean();
      case 'array':
        return fc.array(of.items ? valueFor(of.items) : value, { maxLength: 4 });
      default: {
        const extra = of.additionalProperties;
        if (typeof extra === 'object') return fc.dictionary(names, valueFor(extra), { maxKeys: 3 });
        const fields = Object.entries(of.properties ?? {}).map(([name, field]) => [name, valueFor(field)] as const);
        return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
      }
    }
  };
  return fc.oneof({ weight: 15, arbitrary: fitting() }, { weight: 1, arbitrary: value });
}

test('ajv and we agree about what is valid', () => {
  const ajv = new Ajv({ strict: false, multipleOfPrecision: 9 });
  const withValues = schema.chain((one) =>
    fc.tuple(fc.constant(one), fc.array(valueFor(one), { minLength: 1, maxLength: 8 })),
  );
  let valid = 0;
  fc.assert(
    fc.property(withValues, ([generated, values]) => {
      const validate = ajv.compile(translated(generated));
      for (const one of values) {
        const errors = validateValue(one, generated);
        if (errors.length === 0) valid++;
        assert.equal(errors.length === 0, validate(one), JSON.stringify({ generated, one, errors }));
      }
    }),
    { numRuns: 300, seed: 7 },
  );
  assert.ok(valid > 200, `only ${valid} values were valid: the property says little`);
});

test('every generated schema is structural below the root', () => {
  fc.assert(
    fc.property(schema, (generated) => {
      const root: Schema = { type: 'object', properties: { spec: generated } };
      assert.deepEqual(checkStructuralSchema(root, 's'), []);
    }),
    { numRuns: 200, seed: 7 },
  );
});

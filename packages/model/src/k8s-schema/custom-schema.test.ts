import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  applySchemaDefaults,
  checkStructuralSchema,
  customResourceSchema,
  loadBuiltinSchemas,
  pruneUnknown,
  validateValue,
} from './index.ts';
import type { Schema } from './index.ts';

let objectMeta: Schema;
before(async () => {
  objectMeta = (await loadBuiltinSchemas()).ofKind('v1', 'Pod')!.properties!['metadata']!;
});

const say = (value: unknown, schema: Schema): string[] =>
  validateValue(value, schema).map(({ field, message }) => `${field}: ${message}`);
const field = (schema: Schema): Schema => ({ type: 'object', properties: { x: schema } });

describe('validation against a schema', () => {
  const cases: readonly [string, Schema, unknown, readonly string[]][] = [
    ['an integer', { type: 'integer' }, 1, []],
    ['a whole number as a number', { type: 'number' }, 1, []],
    [
      'a text for an integer',
      { type: 'integer' },
      'a',
      ['x: Invalid value: "string": x in body must be of type integer: "string"'],
    ],
    ['a null', { type: 'string' }, null, ['x: Invalid value: "null": x in body must be of type string: "null"']],
    ['a null where it may be', { type: 'string', nullable: true }, null, []],
    ['an int or string', { 'x-kubernetes-int-or-string': true }, '10%', []],
    [
      'neither int nor string',
      { 'x-kubernetes-int-or-string': true },
      true,
      ['x: Invalid value: "boolean": x in body must be of type integer,string: "boolean"'],
    ],
    ['a choice', { type: 'string', enum: ['a', 'b'] }, 'c', ['x: Unsupported value: "c": supported values: "a", "b"']],
    ['a missing field', { type: 'object', required: ['y'] }, {}, ['x.y: Required value']],
    [
      'a small number',
      { type: 'integer', minimum: 1 },
      0,
      ['x: Invalid value: 0: x in body should be greater than or equal to 1'],
    ],
    [
      'a limit that is excluded',
      { type: 'integer', maximum: 5, exclusiveMaximum: true },
      5,
      ['x: Invalid value: 5: x in body should be less than 5'],
    ],
    ['a step', { type: 'number', multipleOf: 0.1 }, 0.3, []],
    [
      'off the step',
      { type: 'integer', multipleOf: 5 },
      7,
      ['x: Invalid value: 7: x in body should be a multiple of 5'],
    ],
    [
      'a short text',
      { type: 'string', minLength: 2 },
      'a',
      ['x: Invalid value: "a": x in body should be at least 2 chars long'],
    ],
    ['a long text', { type: 'string', maxLength: 2 }, 'abc', ['x: Too long: may not be more than 2 bytes']],
    ['characters, not bytes', { type: 'string', maxLength: 2 }, '日本', []],
    ['a pattern', { type: 'string', pattern: '^a+$' }, 'b', ['x: Invalid value: "b": x in body should match \'^a+$\'']],
    ['a pattern of RE2', { type: 'string', pattern: '(?i)^[[:alpha:]]+\\z' }, 'ABC', []],
    [
      'a format',
      { type: 'string', format: 'ipv4' },
      '1.2.3.256',
      ['x: Invalid value: "1.2.3.256": x in body must be of type ipv4: "1.2.3.256"'],
    ],
    ['an unknown format', { type: 'string', format: 'poem' }, 'x', []],
    [
      'a long list',
      { type: 'array', items: { type: 'integer' }, maxItems: 1 },
      [1, 2],
      ['x: Too many: 2: must have at most 1 item'],
    ],
    [
      'a short list',
      { type: 'array', minItems: 1 },
      [],
      ['x: Invalid value: 0: x in body should have at least 1 items'],
    ],
    [
      'a set with a duplicate',
      { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      ['a', 'a'],
      ['x[1]: Duplicate value: "a"'],
    ],
    [
      'a map with a duplicate key',
      {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object' },
      },
      [
        { k: 1, v: 1 },
        { k: 1, v: 2 },
      ],
      ['x[1]: Duplicate value: {"k":1}'],
    ],
    [
      'a value of a map',
      { type: 'object', additionalProperties: { type: 'integer' } },
      { a: 'b' },
      ['x.a: Invalid value: "string": x.a in body must be of type integer: "string"'],
    ],
    [
      'anyOf',
      { type: 'integer', anyOf: [{ minimum: 5 }, { maximum: 1 }] },
      3,
      [
        '<nil>: Invalid value: "": "x" must validate at least one schema (anyOf)',
        'x: Invalid value: 3: x in body should be greater than or equal to 5',
      ],
    ],
    [
      'oneOf',
      { type: 'integer', oneOf: [{ minimum: 1 }, { maximum: 5 }] },
      3,
      ['<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ],
    [
      'allOf',
      { type: 'integer', allOf: [{ minimum: 5 }] },
      3,
      ['x: Invalid value: 3: x in body should be greater than or equal to 5'],
    ],
    [
      'not',
      { type: 'integer', not: { minimum: 1 } },
      3,
      ['<nil>: Invalid value: "": "x" must not validate the schema (not)'],
    ],
  ];
  for (const [what, schema, value, errors] of cases) {
    it(`${errors.length ? 'refuses' : 'takes'} ${what}`, () =>
      assert.deepEqual(say({ x: value }, field(schema)), errors));
  }

  it('ends, whatever it is given', () => {
    const schema: Schema = { type: 'object', additionalProperties: true };
    Object.assign(schema, { additionalProperties: schema });
    let value: object = {};
    for (let depth = 0; depth < 5_000; depth += 1) value = { a: value };
    assert.match(say(value, schema)[0]!, /nested too deeply/);
    fc.assert(fc.property(fc.jsonValue(), (any) => Array.isArray(validateValue(any, schema))));
  });
});

const widget: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer', default: 3 },
        free: {
          type: 'object',
          'x-kubernetes-preserve-unknown-fields': true,
          properties: { known: { type: 'object' } },
        },
        template: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          properties: { status: { type: 'object' } },
        },
        ports: {
          type: 'array',
          items: { type: 'object', properties: { protocol: { type: 'string', default: 'TCP' } } },
        },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        maybe: { type: 'string', nullable: true, default: 'x' },
      },
    },
  },
};

describe('a custom resource', () => {
  it('loses unknown fields, but none of what every object has', () => {
    const { value, unknown } = pruneUnknown(
      {
        apiVersion: 'x/v1',
        kind: 'Widget',
        metadata: { name: 'w', labels: { a: 'b' }, nope: 1 },
        spec: {
          size: 1,
          colour: 'red',
          free: { a: { b: 1 }, known: { c: 1 } },
          template: { kind: 'Pod', metadata: { name: 'p' }, spec: {} },
          labels: { a: 'b' },
          ports: [{ prot: 1 }],
        },
      },
      customResourceSchema(widget, objectMeta),
    );
    assert.deepEqual(unknown, [
      'metadata.nope',
      'spec.colour',
      'spec.free.known.c',
      'spec.template.spec',
      'spec.ports[0].prot',
    ]);
    assert.deepEqual(value.spec.free, { a: { b: 1 }, known: {} });
  });

  it('gets its defaults, also in lists and for a null that means nothing', () => {
    const defaulted = applySchemaDefaults({ spec: { size: null, ports: [{}], maybe: null } }, widget);
    assert.deepEqual(defaulted, { spec: { size: 3, ports: [{ protocol: 'TCP' }], maybe: null } });
  });

  it('is not changed by defaults it already has', () => {
    const once = applySchemaDefaults({ spec: {} }, widget);
    assert.deepEqual(applySchemaDefaults(once, widget), once);
  });
});

describe('a schema that got stricter', () => {
  const strict: Schema = {
    type: 'object',
    properties: {
      a: { type: 'integer', minimum: 10 },
      b: { type: 'string' },
      free: { type: 'array', items: { type: 'integer', minimum: 10 } },
      keyed: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' }, n: { type: 'integer', minimum: 10 } } },
      },
    },
  };
  const fields = (value: object, old: object): string[] =>
    validateValue(value, strict, '', old).map(({ field: at }) => at);
  const cases: readonly [string, object, object, string[]][] = [
    ['leaves alone what does not change', { a: 1, b: 'new' }, { a: 1, b: 'old' }, []],
    ['speaks up for what does', { a: 2 }, { a: 1 }, ['a']],
    [
      'knows items by their keys',
      {
        keyed: [
          { k: 'y', n: 3 },
          { k: 'x', n: 1 },
        ],
      },
      {
        keyed: [
          { k: 'x', n: 1 },
          { k: 'y', n: 2 },
        ],
      },
      ['keyed[0].n'],
    ],
    ['knows no items without keys', { free: [1, 20] }, { free: [1] }, ['free[0]']],
  ];
  for (const [what, value, old, expected] of cases) it(what, () => assert.deepEqual(fields(value, old), expected));
});

describe('the schema of a CustomResourceDefinition', () => {
  it('may use everything that is structural', () => assert.deepEqual(checkStructuralSchema(widget, 's'), []));

  const cases: readonly [string, Schema, string][] = [
    ['no type at the root', {}, 's.type: Required value: must not be empty at the root'],
    ['another type at the root', { type: 'string' }, 's.type: Invalid value: "string": must be object at the root'],
    [
      'a field without type',
      field({}),
      's.properties[x].type: Required value: must not be empty for specified object fields',
    ],
    [
      'items without type',
      field({ type: 'array', items: {} }),
      's.properties[x].items.type: Required value: must not be empty for specified array items',
    ],
    ['a list without items', field({ type: 'array' }), 's.properties[x].items: Required value: must be specified'],
    [
      'types inside anyOf',
      field({ type: 'object', anyOf: [{ type: 'object' }] }),
      's.properties[x].anyOf[0].type: Forbidden: must be empty to be structural',
    ],
    [
      'fields only inside oneOf',
      field({ type: 'object', oneOf: [{ properties: { y: { minLength: 1 } } }] }),
      's.properties[x].oneOf[0].properties[y]: Required value: because it is defined in s.properties[x].oneOf[0]',
    ],
    [
      'both kinds of properties',
      field({ type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } }),
      's.properties[x].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive',
    ],
    [
      'a broken pattern',
      field({ type: 'string', pattern: '(' }),
      's.properties[x].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: (',
    ],
    [
      'a default of the wrong type',
      field({ type: 'integer', default: 'a' }),
      's.properties[x].default: Invalid value: "string":  in body must be of type integer: "string"',
    ],
    [
      'map keys that do not exist',
      field({
        type: 'array',
        items: { type: 'object' },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
      }),
      's.properties[x].x-kubernetes-list-map-keys: Invalid value: []string{"k"}: entries must all be names of item properties',
    ],
    [
      'quadratic uniqueness',
      field({ type: 'array', items: { type: 'string' }, uniqueItems: true }),
      's.properties[x].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
    ],
    [
      'rules for metadata',
      { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
      's.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
    ],
  ];
  const map = (items: Schema, keys = ['k']): Schema =>
    field({ type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys });
  const more: typeof cases = [
    [
      'a set of objects that merge',
      field({ type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'set' }),
      's.properties[x].items.x-kubernetes-map-type: Invalid value: "null": must be atomic as item of a list with x-kubernetes-list-type=set',
    ],
    [
      'a list type on a text',
      field({ type: 'string', 'x-kubernetes-list-type': 'atomic' }),
      's.properties[x].type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
    ],
    [
      'keys without a map',
      field({ type: 'array', items: { type: 'object' }, 'x-kubernetes-list-map-keys': ['k'] }),
      's.properties[x].x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty',
    ],
    [
      'optional keys',
      map({ type: 'object', properties: { k: { type: 'string' } } }),
      's.properties[x].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
    ],
    [
      'keys that may be null',
      map({ type: 'object', required: ['k'], properties: { k: { type: 'string', nullable: true } } }),
      's.properties[x].items.properties[k].nullable: Forbidden: this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
    ],
    [
      'a map type on a list',
      field({ type: 'array', items: { type: 'string' }, 'x-kubernetes-map-type': 'atomic' }),
      's.properties[x].type: Invalid value: "array": must be object if x-kubernetes-map-type is specified',
    ],
    [
      'an embedded resource without fields',
      field({ type: 'object', 'x-kubernetes-embedded-resource': true }),
      's.properties[x].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
    ],
    [
      'an embedded resource without type',
      field({ 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }),
      's.properties[x].type: Required value: must be object if x-kubernetes-embedded-resource is true',
    ],
    [
      'numbers or texts that keep unknown fields',
      field({ 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true }),
      's.properties[x].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true',
    ],
    [
      'any field at the root',
      { type: 'object', additionalProperties: { type: 'string' } },
      's.additionalProperties: Forbidden: must not be used at the root',
    ],
    [
      'another kind of kind',
      { type: 'object', properties: { kind: { type: 'integer' } } },
      's.properties[kind].type: Invalid value: "integer": must be string',
    ],
    [
      'rules in parts of a combination',
      field({ type: 'object', anyOf: [{ 'x-kubernetes-validations': [{ rule: 'true' }] }] }),
      's.properties[x].anyOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural',
    ],
    [
      'null at the root',
      { type: 'object', nullable: true },
      's.nullable: Forbidden: nullable cannot be true at the root',
    ],
  ];
  for (const [what, schema, error] of [...cases, ...more]) {
    it(`may not have ${what}`, () => {
      assert.deepEqual(
        checkStructuralSchema(schema, 's').map((e) => `${e.field}: ${e.message}`),
        [error],
      );
    });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe } from './open-api-prose.ts';

const definition = {
  type: 'object',
  properties: {
    policy: { type: 'string' },
    modes: { type: 'array', items: { type: 'string' } },
    spec: { $ref: '#/x/Spec', 'x-kubernetes-patch-strategy': 'retainKeys' },
    bare: { $ref: '#/x/Bare' },
    own: { type: 'string', description: 'Told by the definition.' },
  },
};
const prose = {
  '': 'A thing.',
  policy: ['What to do.', ['Keep', 'Drop']],
  modes: ['How.', ['a', 'b']],
  spec: 'What is wanted.',
  own: 'Told by somebody else.',
} as const;

test('fields get their words and values; references step aside for them in version 3', () => {
  const common = {
    policy: { description: 'What to do.', type: 'string', enum: ['Keep', 'Drop'] },
    modes: { description: 'How.', type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
    bare: { $ref: '#/x/Bare' },
    own: { type: 'string', description: 'Told by the definition.' },
  };
  const spec = { description: 'What is wanted.', 'x-kubernetes-patch-strategy': 'retainKeys' };
  const described = { description: 'A thing.', type: 'object' };
  assert.deepEqual(describe(definition, prose, 'v3'), {
    ...described,
    properties: { ...common, spec: { ...spec, allOf: [{ $ref: '#/x/Spec' }] } },
  });
  assert.deepEqual(describe(definition, prose, 'v2'), {
    ...described,
    properties: { ...common, spec: { ...spec, $ref: '#/x/Spec' } },
  });
});

test('a definition of which nothing is said stays as it is', () => {
  assert.deepEqual(describe({ type: 'string' }, {}, 'v3'), { type: 'string' });
});

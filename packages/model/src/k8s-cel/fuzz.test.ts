// Whatever somebody writes as an expression is either compiled or refused with a sentence, and never takes long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compile, loadCel, Meter, toDynamic } from './index.ts';

const cel = await loadCel();
const pieces = fc.constantFrom(
  ...`self self.a self.list object 1 -1 2u 1.5 'x' "" true null [ ] { } ( ) . , : ? ?. [? + - * / % < <= == != in && || ! .size() .all(x, .map(x,
  .filter(x, .matches( .split( .join( has( quantity( ip( cidr( url( x 'Gi' .find( .format([ cel.bind(y, type( dyn( \\ \u0000 😀`.split(
    /\s+/,
  ),
);
const expressions = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.array(pieces, { maxLength: 14 }).map((all) => all.join(' ')),
);

test('expressions never crash', () => {
  const env = cel.open().registerVariable('self', 'dyn');
  const self = toDynamic({ a: 'text', list: [1, 2, 3], map: { k: 'v' } });
  let compiledOnes = 0;
  fc.assert(
    fc.property(expressions, (text) => {
      const compiled = compile(env, text, ['bool'], 'must be a bool');
      if (!compiled.ok) return void assert.equal(typeof compiled.why, 'string');
      compiledOnes++;
      const outcome = compiled.expression.evaluate({ self }, new Meter(10_000));
      if (!outcome.ok) assert.equal(typeof outcome.why, 'string');
    }),
    { numRuns: 2_000, seed: 11 },
  );
  assert.ok(compiledOnes > 0);
});

test('deep and long expressions are refused', () => {
  const env = cel.open().registerVariable('self', 'dyn');
  for (const text of [
    `${'('.repeat(5_000)}1${')'.repeat(5_000)} == 1`,
    `${'!'.repeat(9_000)}true`,
    `${'1+'.repeat(4_900)}1 == 1`,
    'x'.repeat(20_000),
  ])
    assert.equal(compile(env, text, ['bool'], '').ok, false, text.slice(0, 20));
});

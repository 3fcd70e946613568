import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anything, assert as holdsFor, dictionary, property, string } from 'fast-check';
import { SharedParts } from './shared-parts.ts';

const pod = (name: string, phase = 'Pending') => ({
  metadata: { name, labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', resources: { requests: { cpu: '1' } } }], hostname: name },
  status: { phase },
});

test('equal parts of different objects are one, the rest is as it was', () => {
  const parts = new SharedParts();
  const [a, b] = [parts.share(pod('a'), undefined), parts.share(pod('b'), undefined)] as unknown as ReturnType<
    typeof pod
  >[];
  assert.deepEqual([a, b], [pod('a'), pod('b')]);
  assert.equal(a!.spec.containers, b!.spec.containers);
  assert.equal(a!.metadata.labels, b!.metadata.labels);
  assert.notEqual(a!.spec, b!.spec);
});

test('a new version keeps what did not change', () => {
  const parts = new SharedParts();
  const before = parts.share(pod('a'), undefined);
  const after = parts.share(pod('a', 'Running'), before);
  assert.equal(after['spec'], before['spec']);
  assert.deepEqual(after['status'], { phase: 'Running' });
});

test('whatever is shared equals what was given, also when keys look like parts', () => {
  const parts = new SharedParts();
  holdsFor(
    property(dictionary(string(), anything({ withBigInt: false })), (fields) => {
      const object = JSON.parse(JSON.stringify({ ...fields, metadata: { name: 'x' } }));
      assert.deepEqual(parts.share(object, undefined), object);
    }),
  );
});

test('objects that are given are never changed', () => {
  const parts = new SharedParts();
  const frozen = Object.freeze({ ...pod('a'), spec: Object.freeze(pod('a').spec) });
  parts.share(pod('a'), undefined);
  assert.deepEqual(parts.share(frozen, undefined), pod('a'));
});

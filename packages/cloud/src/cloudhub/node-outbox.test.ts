// What waits for a node, step by step: the newest version of each object, in order, across incarnations of a name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { nodeName, resourceVersion, type Uid, uid } from '@kedge/model/k8s';
import { createNodeOutbox, type Deliveries, type NodeOutbox } from './node-outbox.ts';
import type { Delete, Put } from './push.ts';

const node = nodeName('n1');

function memory() {
  const versions = new Map<Uid, string>();
  const deliveries: Deliveries = {
    versionOf: (_node, of) => versions.get(of),
    intend: async () => undefined,
    acknowledged(_node, push, version) {
      if (push.kind === 'object.delete') versions.delete(push.uid);
      else versions.set(push.object.metadata.uid as Uid, version ?? '');
    },
    advance(_node, of, from, to) {
      if (versions.get(of) === from) versions.set(of, to);
    },
  };
  let serial = 0;
  const outbox = createNodeOutbox({ node, deliveries, now: () => 0, uuid: () => `id-${++serial}`, limit: 5 });
  return { outbox, versions };
}

const refOf = (name: string) => ({ type: 'pod', namespace: 'default', name });
const put = (name: string, of: string, version: number, type = 'pod'): Put => ({
  kind: 'object.put',
  ref: { ...refOf(name), type },
  version: resourceVersion(String(version)),
  object: { metadata: { name, namespace: 'default', uid: of, resourceVersion: String(version) } },
  owner: 'edgecontroller',
  change: 'update',
});
const gone = (name: string, of: string, type = 'pod'): Delete => ({
  kind: 'object.delete',
  ref: { ...refOf(name), type },
  uid: uid(of),
  version: undefined,
  object: { metadata: { name, namespace: 'default', uid: of } },
  owner: 'edgecontroller',
});

/** Takes and acknowledges until nothing waits. */
async function drain(outbox: NodeOutbox): Promise<string[]> {
  const seen: string[] = [];
  for (let item = outbox.take(() => false); item; item = outbox.take(() => false)) {
    const message = await item.message();
    if (message.kind === 'object.put') seen.push(`put ${message.object.metadata.uid}@${message.version}`);
    else if (message.kind === 'object.delete') seen.push(`delete ${message.uid}`);
    outbox.settle(item);
  }
  return seen;
}

type Step = (outbox: NodeOutbox) => unknown;
const cases: [string, Step[], string[]][] = [
  ['two objects in order', [(o) => o.put(put('a', 'A', 1)), (o) => o.put(put('b', 'B', 2))], ['put A@1', 'put B@2']],
  ['only the newest version', [(o) => o.put(put('a', 'A', 1)), (o) => o.put(put('a', 'A', 3))], ['put A@3']],
  ['no older version', [(o) => o.put(put('a', 'A', 3)), (o) => o.put(put('a', 'A', 2))], ['put A@3']],
  ['nothing of what came and went unseen', [(o) => o.put(put('a', 'A', 1)), (o) => o.delete(gone('a', 'A'))], []],
  [
    'the place in the queue',
    [(o) => o.put(put('a', 'A', 1)), (o) => o.put(put('b', 'B', 1)), (o) => o.put(put('a', 'A', 9))],
    ['put A@9', 'put B@1'],
  ],
  ['a deletion of what may be there', [(o) => o.delete(gone('a', 'A')), (o) => o.delete(gone('a', 'A'))], ['delete A']],
  ['nothing after a deletion', [(o) => o.delete(gone('a', 'A')), (o) => o.put(put('a', 'A', 9))], ['delete A']],
  [
    'a Secret that is wanted again after all',
    [(o) => o.delete(gone('a', 'A', 'secret')), (o) => o.put(put('a', 'A', 9, 'secret'))],
    ['delete A', 'put A@9'],
  ],
  [
    'the old incarnation first',
    [(o) => o.delete(gone('a', 'A')), (o) => o.put(put('a', 'B', 5)), (o) => o.put(put('a', 'B', 6))],
    ['delete A', 'put B@6'],
  ],
];

for (const [what, steps, expected] of cases) {
  test(`an outbox keeps ${what}`, async () => {
    const { outbox } = memory();
    for (const step of steps) step(outbox);
    assert.deepEqual(await drain(outbox), expected);
    assert.equal(outbox.size, 0);
  });
}

test('a version that the node has is not sent again, unless its acknowledgement is in doubt', async () => {
  const { outbox, versions } = memory();
  outbox.put(put('a', 'A', 4));
  await drain(outbox);
  assert.equal(outbox.put(put('a', 'A', 4)), false);
  versions.set(uid('A'), '0');
  assert.equal(outbox.put(put('a', 'A', 4)), true);
  assert.deepEqual(await drain(outbox), ['put A@4']);
});

test('what came up while a version was under way is sent after it', async () => {
  const { outbox } = memory();
  outbox.put(put('a', 'A', 1));
  const first = outbox.take(() => false)!;
  outbox.put(put('a', 'A', 2));
  assert.equal(
    outbox.take((slot) => slot === first.key),
    undefined,
  );
  outbox.settle(first);
  assert.deepEqual(await drain(outbox), ['put A@2']);
});

test('an object that was sent once is deleted at the node even if it was never acknowledged', async () => {
  const { outbox } = memory();
  outbox.put(put('a', 'A', 1));
  outbox.take(() => false);
  outbox.delete(gone('a', 'A'));
  assert.deepEqual(await drain(outbox), ['delete A']);
});

test('a change that the node need not hear of counts as had by a node that has, or will have, the version before', async () => {
  const { outbox, versions } = memory();
  outbox.put(put('a', 'A', 1));
  outbox.unchanged(refOf('a'), uid('A'), '1', '2');
  assert.deepEqual(await drain(outbox), ['put A@1']);
  assert.equal(versions.get(uid('A')), '2');
  outbox.unchanged(refOf('a'), uid('A'), '2', '3');
  assert.equal(versions.get(uid('A')), '3');
  outbox.unchanged(refOf('a'), uid('A'), '7', '8');
  assert.equal(versions.get(uid('A')), '3');
});

test('what another cloudcore has delivered meanwhile is not sent again', async () => {
  const { outbox, versions } = memory();
  outbox.put(put('a', 'A', 1));
  outbox.put(put('b', 'B', 1));
  versions.set(uid('A'), '3');
  assert.deepEqual(await drain(outbox), ['put B@1']);
  assert.equal(outbox.size, 0);
});

test('a full outbox takes no more, and says so', () => {
  const { outbox } = memory();
  for (let i = 0; i < 5; i++) assert.equal(outbox.put(put(`p${i}`, `P${i}`, 1)), true);
  assert.equal(outbox.put(put('more', 'M', 1)), false);
  assert.equal(outbox.size, 5);
});

test('whatever happens, versions of one object never go back, and the last word arrives', async () => {
  const step = fc.record({
    of: fc.constantFrom('A', 'B'),
    op: fc.constantFrom('put', 'put', 'delete', 'take', 'settle'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { outbox } = memory();
      const sent: { of: string; version: number }[] = [];
      const last = new Map<string, string>();
      const dead = new Set<string>();
      let version = 0;
      let held: ReturnType<NodeOutbox['take']>;
      const note = async (item: NonNullable<typeof held>): Promise<void> => {
        const message = await item.message();
        if (message.kind === 'object.put') {
          sent.push({ of: message.object.metadata.uid!, version: Number(message.version) });
        } else if (message.kind === 'object.delete') sent.push({ of: message.uid, version: Infinity });
      };
      for (const { of, op } of steps) {
        if (op === 'put' && !dead.has(of)) {
          outbox.put(put(of.toLowerCase(), of, ++version));
          last.set(of, `${version}`);
        } else if (op === 'delete' && last.has(of)) {
          outbox.delete(gone(of.toLowerCase(), of));
          dead.add(of);
        } else if (op === 'take' && !held) {
          held = outbox.take(() => false);
          if (held) await note(held);
        } else if (op === 'settle' && held) {
          outbox.settle(held);
          held = undefined;
        }
      }
      if (held) outbox.settle(held);
      for (let item = outbox.take(() => false); item; item = outbox.take(() => false)) {
        await note(item);
        outbox.settle(item);
      }
      for (const name of ['A', 'B']) {
        const versions = sent.filter((one) => one.of === name).map((one) => one.version);
        assert.deepEqual(
          versions,
          [...versions].sort((a, b) => a - b),
        );
        const final = versions.at(-1);
        if (final === undefined) assert.ok(!last.has(name) || dead.has(name));
        else assert.equal(final, dead.has(name) ? Infinity : Number(last.get(name)));
      }
    }),
  );
});

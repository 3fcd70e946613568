import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnWrites } from './own-writes.ts';

const pod = (uid: string, resourceVersion: string, deletionTimestamp?: string) => ({
  metadata: { uid, resourceVersion, creationTimestamp: 't', ...(deletionTimestamp ? { deletionTimestamp } : {}) },
});
const uids = (pods: { metadata: { uid?: string } }[]) => pods.map(({ metadata }) => metadata.uid);

test('what was created counts until the copy has come that far, seen or not', () => {
  const copy = { version: '10' };
  const own = new OwnWrites<ReturnType<typeof pod>>(copy);
  own.created('web', pod('a', '11'));
  assert.deepEqual(uids(own.view('web', [])), ['a']);
  assert.deepEqual(uids(own.view('web', [pod('a', '11')])), ['a']);
  own.created('web', pod('b', '12'));
  copy.version = '13';
  // Created and deleted again by someone else before we saw it.
  assert.deepEqual(uids(own.view('web', [])), []);
});

test('what was deleted is on its way out until the copy says so itself', () => {
  const own = new OwnWrites<ReturnType<typeof pod>>({ version: '10' });
  const a = pod('a', '5');
  own.deleted('web', a);
  assert.notEqual(own.view('web', [a])[0]!.metadata.deletionTimestamp, undefined);
  assert.deepEqual(own.view('web', [pod('a', '11', 'now')])[0]!.metadata.deletionTimestamp, 'now');
  assert.deepEqual(own.view('web', []), []);
});

test('owners do not see each other', () => {
  const own = new OwnWrites<ReturnType<typeof pod>>({ version: '10' });
  own.created('web', pod('a', '11'));
  assert.deepEqual(own.view('db', []), []);
  own.forget('web');
  assert.deepEqual(own.view('web', []), []);
});

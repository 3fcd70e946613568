// Calls that are joined: one at a time, and each answer is newer than its question.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JoinedCalls } from './joined-calls.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Calls that end when told; each answers with its own number. */
function calls() {
  const begun: { answer: () => void; fail: (error: Error) => void }[] = [];
  const work = (): Promise<number> => {
    const number = begun.length;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    begun.push({ answer: () => resolve(number), fail: reject });
    return promise;
  };
  return { begun, work };
}

test('whoever asks while a call is under way shares the next one', async () => {
  const joined = new JoinedCalls<number>();
  const { begun, work } = calls();
  const first = joined.call('a', work);
  const later = [joined.call('a', work), joined.call('a', work)];
  assert.equal(begun.length, 1);
  begun[0]!.answer();
  assert.equal(await first, 0);
  await settle();
  assert.equal(begun.length, 2);
  const last = joined.call('a', work);
  begun[1]!.answer();
  assert.deepEqual(await Promise.all(later), [1, 1]);
  await settle();
  begun[2]!.answer();
  assert.equal(await last, 2);
});

test('a call that fails fails for those who share it, and for nobody after', async () => {
  const joined = new JoinedCalls<number>();
  const { begun, work } = calls();
  const first = joined.call('a', work);
  const second = joined.call('a', work);
  begun[0]!.fail(new Error('broken'));
  await assert.rejects(first, /broken/);
  await settle();
  begun[1]!.answer();
  assert.equal(await second, 1);
});

test('other keys do not wait, and a key that is done begins anew', async () => {
  const joined = new JoinedCalls<number>();
  const { begun, work } = calls();
  const first = joined.call('a', work);
  void joined.call('b', work);
  assert.equal(begun.length, 2);
  begun[0]!.answer();
  await first;
  await settle();
  void joined.call('a', work);
  assert.equal(begun.length, 3);
});

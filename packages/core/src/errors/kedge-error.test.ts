// Errors from tables: recognised by code, explained in one line.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf, defineErrors, explain, isAbort, retryOf } from '@kedge/core/errors';

const errors = defineErrors('HUB', {
  REFUSED: { retry: 'backoff', say: (d: { status: number }) => `cloud refused with HTTP ${d.status}` },
  TOO_LARGE: { retry: 'never', say: (d: { bytes: number }) => `${d.bytes} bytes are too many` },
});

describe('an error from a table', () => {
  test('has code, sentence, advice, details and cause', () => {
    const cause = new Error('socket closed');
    const error = errors.REFUSED({ status: 401 }, cause);
    assert.equal(error.message, '[HUB_REFUSED] cloud refused with HTTP 401');
    assert.deepEqual([error.code, error.retry, error.details], ['HUB_REFUSED', 'backoff', { status: 401 }]);
    assert.equal(error.cause, cause);
    assert.ok(error instanceof Error);
  });

  test('is recognised by its code alone', () => {
    const error: unknown = errors.REFUSED({ status: 401 });
    assert.ok(errors.REFUSED.is(error) && error.details.status === 401);
    assert.equal(errors.TOO_LARGE.is(error), false);
    assert.equal(errors.REFUSED.is(new Error('[HUB_REFUSED] imitation')), false);
    assert.equal(errors.REFUSED.is(undefined), false);
  });

  test('decides about retries; whatever else failed is worth another try', () => {
    assert.equal(retryOf(errors.TOO_LARGE({ bytes: 1 })), 'never');
    assert.equal(retryOf(errors.REFUSED({ status: 1 })), 'backoff');
    assert.equal(retryOf(new Error('anything')), 'backoff');
    assert.equal(retryOf('text'), 'backoff');
  });

  test('codes of the runtime are not codes of ours', () => {
    assert.equal(codeOf(Object.assign(new Error('x'), { code: 'ENOENT' })), undefined);
  });
});

test('a failure is explained with its causes, and a circle of them ends', () => {
  const inner = new Error('disk is gone');
  assert.equal(explain(new Error('cannot save', { cause: inner })), 'cannot save: disk is gone');
  assert.equal(explain('text'), 'text');
  assert.equal(explain(new Error('cannot save (disk is gone)', { cause: inner })), 'cannot save (disk is gone)');
  const circle = new Error('round');
  circle.cause = circle;
  assert.equal(explain(circle), 'round');
});

test('a failure after an abort is an abort', () => {
  assert.equal(isAbort(new Error('x'), AbortSignal.abort()), true);
  assert.equal(isAbort(new Error('x'), new AbortController().signal), false);
});

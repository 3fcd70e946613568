// Log lines: one JSON object each, whatever is put into them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defineErrors } from '@kedge/core/errors';
import {
  createLog,
  formatRecord,
  type LogFields,
  type LogLevel,
  type LogRecord,
  secret,
  silentLog,
} from '@kedge/core/log';
import { instant } from '@kedge/core/time';

function collect(level: LogLevel) {
  const records: LogRecord[] = [];
  return { records, log: createLog({ now: () => instant(0), level, write: (record) => records.push(record) }) };
}
const line = (fields: LogFields) =>
  JSON.parse(formatRecord({ at: instant(0), level: 'info', sentence: 'pod started', fields })) as Record<
    string,
    unknown
  >;

describe('a log', () => {
  test('writes its level and above', () => {
    const { log, records } = collect('warn');
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    assert.deepEqual(
      records.map(({ level, sentence }) => `${level} ${sentence}`),
      ['warn c', 'error d'],
    );
  });

  test('adds the fields of its ancestors, the nearest winning', () => {
    const { log, records } = collect('info');
    log.child({ module: 'edged', node: 'a' }).child({ node: 'b' }).info('ready', { pod: 'web-0' });
    assert.deepEqual(records[0]?.fields, { module: 'edged', node: 'b', pod: 'web-0' });
  });

  test('that swallows everything swallows everything', () => {
    silentLog.child({ module: 'x' }).error('nobody hears');
  });
});

describe('a line', () => {
  test('is JSON with time, level, sentence and fields', () => {
    assert.deepEqual(line({ pod: 'web-0', tookMs: 5 }), {
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      say: 'pod started',
      pod: 'web-0',
      tookMs: 5,
    });
  });

  test('has the message of an error and of its causes, and a stack only for a defect', () => {
    const { GONE } = defineErrors('DISK', { GONE: { retry: 'never', say: () => 'no disk' } });
    assert.equal(
      line({ err: new Error('cannot save', { cause: GONE(undefined) }) })['err'],
      'cannot save: [DISK_GONE] no disk',
    );
    assert.match(String(line({ err: new TypeError('x is undefined') })['err']), /x is undefined\n\s+at /);
  });

  test('survives cycles, big numbers and causes that are their own', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const own = new Error('round');
    own.cause = own;
    assert.equal(line({ kind: cycle, pod: 'web-0' })['pod'], 'web-0');
    assert.equal(line({ count: 10n })['count'], '10');
    assert.match(String(line({ err: own })['err']), /^round: round/);
  });

  test('never shows a secret', () => {
    const token = secret('swordfish');
    assert.equal(line({ user: token })['user'], '***');
    assert.equal(`${token}`, '***');
    assert.equal(token.reveal(), 'swordfish');
  });
});

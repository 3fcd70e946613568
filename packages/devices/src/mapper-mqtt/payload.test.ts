// Payloads of every kind to values, and values to payloads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapperErrors, type RawValue, readConfig } from '../mapper-sdk/index.ts';
import { Payload, toPayload } from './payload.ts';
import { readSource, visitorConfig } from './settings.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const visitorOf = (more: Record<string, unknown>) => readConfig(visitorConfig, { topic: 't', ...more }, 'visitor');

function valueOf(payload: string | Uint8Array, more: Record<string, unknown> = {}): RawValue {
  const visitor = visitorOf(more);
  return new Payload(typeof payload === 'string' ? bytes(payload) : payload).value(readSource(visitor, 'p'), visitor);
}

test('every kind of payload', () => {
  assert.equal(valueOf('21.5'), '21.5');
  assert.equal(valueOf(' 21.5\n', { format: 'number' }), 21.5);
  assert.equal(valueOf('{"a":{"b":[1,true]}}', { jsonPath: '$.a.b[1]' }), true);
  assert.equal(valueOf('{"a":{"b":[1,true]}}', { jsonPath: '$.a' }), '{"b":[1,true]}');
  assert.equal(valueOf('"text"', { format: 'json' }), 'text');
  assert.deepEqual(valueOf('AAH/', { format: 'base64' }), Uint8Array.of(0, 1, 255));
  assert.deepEqual(valueOf(Uint8Array.of(0xff, 0), { format: 'bytes' }), Uint8Array.of(0xff, 0));
  assert.equal(valueOf('{"s":"AUF"}', { jsonPath: 's', payloadTrue: 'AUF', payloadFalse: 'ZU' }), true);
  assert.equal(valueOf('ZU', { payloadTrue: 'AUF', payloadFalse: 'ZU' }), false);
});

test('what cannot be read says why, in one word', () => {
  const table: [string | Uint8Array, Record<string, unknown>, string][] = [
    ['{', { format: 'json' }, 'BadPayload'],
    ['{}', { jsonPath: '$.a' }, 'NoValue'],
    ['{"a":null}', { jsonPath: '$.a' }, 'NoValue'],
    ['warm', { format: 'number' }, 'BadPayload'],
    ['', { format: 'number' }, 'BadPayload'],
    ['%', { format: 'base64' }, 'BadPayload'],
    [Uint8Array.of(0xff), {}, 'BadPayload'],
  ];
  for (const [payload, more, reason] of table) {
    assert.throws(
      () => valueOf(payload, more),
      (error) => mapperErrors.FAULT.is(error) && error.details.reason === reason,
      String(payload),
    );
  }
});

test('values become payloads by their template', () => {
  const publish = (value: RawValue, more: Record<string, unknown> = {}) =>
    toPayload({ property: 'p', visitor: visitorOf(more) }, value);
  assert.equal(publish(21.5), '21.5');
  assert.equal(publish('say "hi"', { writeTemplate: '{"text": {{json}}}' }), '{"text": "say \\"hi\\""}');
  assert.equal(publish(true, { payloadTrue: 'ON' }), 'ON');
  assert.equal(
    publish(false, { payloadTrue: 'ON', payloadFalse: 'OFF', writeTemplate: '{"state":{{json}}}' }),
    '{"state":"OFF"}',
  );
  assert.equal(publish(Uint8Array.of(0, 255)), 'AP8=');
  assert.deepEqual(publish(Uint8Array.of(0, 255), { format: 'bytes' }), Uint8Array.of(0, 255));
  assert.equal(publish('{{json}}'), '{{json}}');
  assert.throws(
    () => publish(Uint8Array.of(1), { format: 'bytes', writeTemplate: '<{{value}}>' }),
    mapperErrors.REFUSED.is,
  );
});

test('wildcards, a path without json, and half a certificate cannot be used', () => {
  for (const more of [
    { topic: 'a/#' },
    { topic: 'a/+/b' },
    { writeTopic: 'x/#' },
    { jsonPath: '$..a' },
    { jsonPath: 'a', format: 'text' },
  ]) {
    assert.throws(() => readSource(visitorOf(more), 'p'), mapperErrors.BAD_CONFIG.is, JSON.stringify(more));
  }
});

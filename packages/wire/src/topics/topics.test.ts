import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deviceTopic, matchesFilter, nodeTopic, parseTopic, requestFilters, shortDeviceTopic } from './index.ts';

describe('a topic', () => {
  const requests: [string, ReturnType<typeof parseTopic>][] = [
    ['$hw/events/device/default/lamp/twin/get', request('twin.get', 'default', 'lamp')],
    ['$hw/events/device/shop/lamp/twin/update', request('twin.update', 'shop', 'lamp')],
    ['$hw/events/device/shop/lamp/state/update', request('state.update', 'shop', 'lamp')],
    ['$hw/events/device/lamp/twin/update', request('twin.update', 'default', 'lamp', true)],
    // Names that are words of the grammar: position decides.
    ['$hw/events/device/device/twin/twin/get', request('twin.get', 'device', 'twin')],
    ['$hw/events/device/hw/events/state/update', request('state.update', 'hw', 'events')],
    ['$hw/events/device/twin/twin/get', request('twin.get', 'default', 'twin', true)],
    ['$hw/events/device/shop/lamp/history/get', request('history.get', 'shop', 'lamp')],
    ['$hw/events/device/shop/lamp/alarm/get', request('alarm.get', 'shop', 'lamp')],
    ['$hw/events/node/edge-1/membership/get', { kind: 'membership.get', node: 'edge-1' }],
  ];
  for (const [topic, expected] of requests) {
    test(`${topic} is a request, and subscribed to`, () => {
      assert.deepEqual(parseTopic(topic), expected);
      assert.equal(requestFilters.filter((filter) => matchesFilter(filter, topic)).length, 1);
    });
  }

  const others = [
    '',
    '$hw/events/device/default/lamp/twin/cloud_updated',
    '$hw/events/device/default/lamp/state/get',
    '$hw/events/device/lamp/history/get',
    '$hw/events/device/lamp/alarm/get',
    '$hw/events/device//lamp/twin/get',
    '$hw/events/device/default//twin/get',
    '$hw/events/device/a/b/c/twin/get',
    '$hw/events/device/twin/get',
    'hw/events/device/default/lamp/twin/get',
    '$hw/events/node/edge-1/membership/updated',
    '$hw/events/node/a/b/membership/get',
    '$hw/events/upload/x',
  ];
  for (const topic of others) test(`"${topic}" is no request`, () => assert.equal(parseTopic(topic), undefined));

  test('of an answer is heard by nobody who asks', () => {
    const lamp = { namespace: 'default', name: 'lamp' };
    const tails = [
      'twin/get/result',
      'twin/update/result',
      'twin/update/delta',
      'state/update/result',
      'history/get/result',
      'alarm',
    ] as const;
    const answers = [
      ...tails.flatMap((tail) => [deviceTopic(lamp, tail), shortDeviceTopic(lamp, tail)!]),
      nodeTopic('edge-1', 'membership/get/result'),
      nodeTopic('edge-1', 'membership/updated'),
    ];
    for (const topic of answers) {
      assert.ok(!requestFilters.some((filter) => matchesFilter(filter, topic)), topic);
      assert.equal(parseTopic(topic), undefined);
    }
    assert.equal(answers[0], '$hw/events/device/default/lamp/twin/get/result');
    assert.equal(answers[1], '$hw/events/device/lamp/twin/get/result');
    assert.equal(shortDeviceTopic({ namespace: 'shop', name: 'lamp' }, 'twin/get/result'), undefined);
  });
});

test('filters match as in MQTT 3.1.1', () => {
  const table: [string, string, boolean][] = [
    ['a/b', 'a/b', true],
    ['a/b', 'a/b/c', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a', false],
    ['a/+', 'a/', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['#', 'a/b', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
  ];
  for (const [filter, topic, is] of table) assert.equal(matchesFilter(filter, topic), is, `${filter} ${topic}`);
});

function request(
  kind: 'twin.get' | 'twin.update' | 'state.update' | 'history.get' | 'alarm.get',
  namespace: string,
  name: string,
  isShort = false,
) {
  return { kind, device: { namespace, name }, isShort };
}

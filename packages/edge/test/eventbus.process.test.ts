// EventBus with a real mosquitto: an application that reads and sets a twin (S6 of the protocol document), what it is told
// about its errors (S7), and a broker that is killed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { milliseconds } from '@kedge/core/time';
import { systemClock } from '@kedge/platform/node';
import { createMqtt } from '@kedge/platform/mqtt';
import { hasMosquitto, startMosquitto } from '@kedge/testing/mosquitto';
import { connectApplication, device, startEdgeDevices } from './eventbus-fixture.ts';

const base = '$hw/events/device/default/temp-1';
const name = { namespace: 'default', name: 'temp-1' };
const sentence = 'connected to the MQTT broker';

describe('EventBus on mosquitto', { skip: !hasMosquitto && 'mosquitto is not installed' }, () => {
  test('an application reads and sets, is told its errors, and all goes on after the broker was killed', async (t) => {
    const broker = await startMosquitto(t);
    const url = `tcp://127.0.0.1:${broker.port}`;
    const mqtt = createMqtt();
    const edge = await startEdgeDevices(t, { clock: systemClock, mqtt, url, objects: [device('temp-1')] });
    const connected = async (times: number): Promise<void> => {
      while (edge.logged.filter((record) => record.sentence === sentence).length < times) {
        await systemClock.sleep('connected', milliseconds(20));
      }
    };
    await connected(1);
    const app = await connectApplication(t, mqtt, url);

    // S6.
    await app.say(`${base}/twin/get`, { event_id: 'q1', timestamp: 0 });
    const [read] = await app.next(1);
    assert.deepEqual([read?.topic, read?.body.event_id], [`${base}/twin/get/result`, 'q1']);
    const twin = { temperature: { expected: { value: '27' } } };
    await app.say(`${base}/twin/update`, { event_id: 's1', timestamp: 0, twin });
    const [result, document, delta] = await app.next(3);
    assert.deepEqual([result?.topic, result?.body.event_id], [`${base}/twin/update/result`, 's1']);
    assert.equal(document?.topic, `${base}/twin/update/document`);
    assert.deepEqual([delta?.topic, delta?.body.delta], [`${base}/twin/update/delta`, { temperature: '27' }]);
    const up = edge.twin.outbox.take(() => false, true)?.send.body;
    assert.ok(up?.kind === 'twin.report');
    assert.equal(up.twins['temperature']?.expected?.value, '27');

    // S7.
    await app.say('$hw/events/device/default/other/twin/update', { event_id: 's2', timestamp: 0, twin });
    const [unknown] = await app.next(1);
    assert.equal(unknown?.topic, '$hw/events/device/default/other/twin/update/result');
    const { timestamp, ...error } = unknown.body;
    assert.equal(typeof timestamp, 'number');
    const reason = 'update rejected due to the device is not existed';
    assert.deepEqual(error, { event_id: 's2', code: 404, reason });
    await app.say(`${base}/twin/update`, { event_id: 's3', twin: { 'a b': { actual: { value: '1' } } } });
    assert.deepEqual(
      (await app.next(2)).map(({ topic, body }) => [topic, body.code]),
      [
        [`${base}/twin/update/result`, 400],
        ['$hw/events/device//twin/update/result', 400],
      ],
    );

    await broker.stop();
    await edge.twin.report(name, [{ property: 'temperature', reported: '27', duplicate: false }]);
    await broker.start();
    const later = await connectApplication(t, mqtt, url);
    await connected(2);
    await later.say(`${base}/twin/get`, { event_id: 'q2', timestamp: 0 });
    for (;;) {
      const [answer] = await later.next(1);
      if (answer?.body.event_id !== 'q2') continue;
      assert.equal(answer.body.twin.temperature.actual.value, '27');
      break;
    }
  });
});

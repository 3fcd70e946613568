// EventBus with the broker inside: applications connect over the network, with a user, and find again what was retained.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { secret } from '@kedge/core/log';
import { milliseconds } from '@kedge/core/time';
import { createMqtt } from '@kedge/platform/mqtt';
import { systemClock } from '@kedge/platform/node';
import { temporaryDirectory, withCode } from '@kedge/testing/contracts';
import { FakeBroker, smallBroker } from '@kedge/testing/mqtt';
import { connectApplication, device, type EdgeDevices, startEdgeDevices } from './eventbus-fixture.ts';

const base = '$hw/events/device/default/temp-1';
const name = { namespace: 'default', name: 'temp-1' };
const mqtt = createMqtt();
const credentials = { username: 'app', password: secret('right') };
const inside = { ...smallBroker, credentials };

async function until(edge: EdgeDevices, sentence: string) {
  for (;;) {
    const found = edge.logged.find((record) => record.sentence === sentence);
    if (found) return found.fields;
    await systemClock.sleep('log', milliseconds(10));
  }
}
async function start(...[t, options]: Parameters<typeof startEdgeDevices>) {
  const edge = await startEdgeDevices(t, options);
  const { port } = await until(edge, 'the MQTT broker listens');
  await until(edge, 'connected to the MQTT broker');
  return { ...edge, url: `tcp://127.0.0.1:${String(port)}` };
}

describe('EventBus with the broker inside', () => {
  test('an application with the password reads, sets and hears; one without is refused', async (t) => {
    const { url, twin } = await start(t, { clock: systemClock, inside, objects: [device('temp-1')] });
    const app = await connectApplication(t, mqtt, url, { credentials });
    await app.say(`${base}/twin/get`, { event_id: 'q1', timestamp: 0 });
    assert.deepEqual(
      (await app.next(1)).map(({ topic, body }) => [topic, body.event_id]),
      [[`${base}/twin/get/result`, 'q1']],
    );
    await app.say(`${base}/twin/update`, { event_id: 's1', twin: { temperature: { expected: { value: '27' } } } });
    const tails = (await app.next(3)).map(({ topic }) => topic.slice(base.length + 1));
    assert.deepEqual(tails, ['twin/update/result', 'twin/update/document', 'twin/update/delta']);
    await twin.report(name, [{ property: 'temperature', reported: '27', duplicate: false }]);
    const [result] = await app.next(2);
    assert.equal(result?.body.twin.temperature.actual.value, '27');
    for (const wrong of [{}, { credentials: { username: 'app', password: secret('wrong') } }]) {
      await assert.rejects(connectApplication(t, mqtt, url, wrong), withCode('MQTT_REFUSED'));
    }
    // The edge's own place cannot be taken.
    const taken = { credentials, clientId: 'kedge-edge-1' };
    await assert.rejects(connectApplication(t, mqtt, url, taken), withCode('MQTT_REFUSED'));
  });

  test('what it retains is there after a restart', async (t) => {
    const path = join(await temporaryDirectory(t), 'edge.db');
    const objects = [device('temp-1')];
    const before = await start(t, { clock: systemClock, inside: { ...inside, retain: true }, objects, path });
    await before.twin.report(name, [{ property: 'temperature', reported: '20', duplicate: false }]);
    const app = await connectApplication(t, mqtt, before.url, { credentials });
    await app.next(2);
    await before.close();
    const after = await start(t, { clock: systemClock, inside, objects, path });
    const later = await connectApplication(t, mqtt, after.url, { credentials });
    const [first] = await later.next(2);
    assert.equal(first?.topic.startsWith(base), true);
  });

  test('with an external one beside it, clients of both ask and hear', async (t) => {
    const external = new FakeBroker();
    const edge = await startEdgeDevices(t, {
      clock: systemClock,
      inside,
      // The edge's own client of the external broker; the inside needs none.
      mqtt: external,
      url: external.url,
      objects: [device('temp-1')],
    });
    const { port } = await until(edge, 'the MQTT broker listens');
    while (external.clients === 0) await systemClock.sleep('the external broker', milliseconds(5));
    const one = await connectApplication(t, external, external.url);
    const other = await connectApplication(t, mqtt, `tcp://127.0.0.1:${String(port)}`, { credentials });
    await one.say(`${base}/twin/update`, { event_id: 'a', twin: { temperature: { actual: { value: '1' } } } });
    await other.say(`${base}/twin/get`, { event_id: 'b' });
    for (const app of [one, other]) {
      const events = (await app.next(3)).map(({ topic, body }) => `${topic.slice(base.length + 1)} ${body.event_id}`);
      assert.deepEqual(events.toSorted(), ['twin/get/result b', 'twin/update/document a', 'twin/update/result a']);
    }
  });

  test('a port that is taken is said, and tried again', async (t) => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const edge = await startEdgeDevices(t, { clock: systemClock, inside: { ...inside, port }, objects: [] });
    const { reason } = await until(edge, 'no MQTT broker');
    assert.match(String(reason), /in use by another program; modules.eventBus.mqttServerInternal says where/);
    blocker.close();
    await until(edge, 'connected to the MQTT broker');
  });
});

// What a real KubeEdge v1.22 edge and its MQTT clients said is played again to ours: the cloud's recorded messages come in, a
// client publishes what was published then, and sees what was seen then. With mosquitto, and with the broker inside.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { createLog, type LogRecord } from '@kedge/core/log';
import { milliseconds, seconds } from '@kedge/core/time';
import { createDeviceTwin } from '@kedge/edge/devicetwin';
import { createEventBus, type EventBusConfig } from '@kedge/edge/eventbus';
import { createMetaManager } from '@kedge/edge/metamanager';
import { nodeName } from '@kedge/model/k8s';
import { dispatch } from '@kedge/model/messages';
import { createMqtt } from '@kedge/platform/mqtt';
import { createMqttBrokers } from '@kedge/platform/mqtt-broker';
import { createFiles, createRandom, systemClock } from '@kedge/platform/node';
import { hasMosquitto, startMosquitto } from '@kedge/testing/mosquitto';
import { smallBroker } from '@kedge/testing/mqtt';
import { downstreamFromWire } from '@kedge/wire/hub';
import { openTestDatabase } from '../../packages/edge/test/link-fixture.ts';
import { readRecording } from './recorded/read-recording.ts';

const node = nodeName('real-edge');
const mqtt = createMqtt();
const pause = () => systemClock.sleep('a look', milliseconds(10));

/** What the recorded client saw, a line a message; it had two subscriptions, and saw most of them twice. */
const readSeen = (name: string): string[] =>
  readFileSync(new URL(`recorded/kubeedge-v1.22/${name}.mqtt.txt`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line, n, lines) => line !== '' && line !== lines[n - 1]);

/** Ids and times are of the day. */
const timeless = (line: string): string =>
  line.replace(/"[\da-f]{8}-[\da-f-]{27}"/g, '"an id"').replace(/"timestamp":\d{13}/g, '"timestamp":0');

/** Whether a client said it, and not the edge. */
const isOfClient = (line: string): boolean => !/^\$hw\/\S+\/(?:result|document|delta|updated) |^test /.test(line);

async function startEdge(t: TestContext, config: Omit<EventBusConfig, 'node'>) {
  const db = openTestDatabase();
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => systemClock.now(), level: 'info', write: (record) => logged.push(record) });
  const common = { clock: systemClock, log, random: createRandom(), db };
  const meta = createMetaManager({ ...common, node });
  const twins = createDeviceTwin({ ...common, objects: meta.devices });
  const bus = createEventBus(
    {
      ...common,
      files: createFiles(),
      openMqtt: async () => mqtt,
      openMqttBrokers: async () => createMqttBrokers({ log, now: () => systemClock.now() }),
      twins,
    },
    { node, ...config },
  );
  const scope = openScope({ clock: systemClock, name: 'edge' });
  for (const module of [meta, twins, bus]) await module.start(scope);
  t.after(() => scope.close(seconds(3)));
  const found = async (sentence: string): Promise<LogRecord> => {
    for (;;) {
      const record = logged.find((one) => one.sentence === sentence);
      if (record) return record;
      await pause();
    }
  };
  await found('connected to the MQTT broker');
  const handlers = { ...meta.handlers, ...bus.handlers };
  return { bus, found, handlers };
}

/** The situations in the order in which they were recorded; 12b and 13a, without a namespace, KubeEdge left unanswered. */
async function replay(t: TestContext, { bus, handlers }: Awaited<ReturnType<typeof startEdge>>, url: string) {
  const seen: string[] = [];
  const client = await mqtt.connect({
    url,
    clientId: 'recorded',
    timeoutMs: 5_000,
    async onMessage({ topic, payload }) {
      seen.push(`${topic} ${new TextDecoder().decode(payload)}`);
    },
  });
  t.after(() => client.close());
  await client.subscribe(['#', '$hw/#', '$ke/#'], 1);
  for (const name of [
    '10-create-model-device',
    '12a-mqtt-twin-get-namespaced',
    '13b-mqtt-twin-update-reported-ns',
    '30-create-rules',
    '31-rest-to-eventbus',
    '33-eventbus-to-rest',
    '16-delete-device',
  ]) {
    const recorded = readRecording(name);
    for (const { dir, message } of recorded) {
      if (dir === 'cloud>edge') await dispatch(handlers, downstreamFromWire(message));
    }
    const expected = name.startsWith('30') ? [] : readSeen(name);
    for (const line of expected.filter(isOfClient)) {
      const at = line.indexOf(' ');
      await client.publish({ topic: line.slice(0, at), payload: line.slice(at + 1), qos: 0 });
    }
    while (seen.length < expected.length) await pause();
    assert.deepEqual(seen.splice(0).map(timeless).toSorted(), expected.map(timeless).toSorted(), name);

    const uploads = recorded.filter(({ message: { route } }) => route.source === 'bus');
    for (const { message } of uploads) {
      let item = bus.outbox.take(() => false);
      while (!item) {
        await pause();
        item = bus.outbox.take(() => false);
      }
      assert.deepEqual([item.send.topic, item.send.payload], [message.route.resource, message.content], name);
      await bus.outbox.settle(item, { ok: true, value: undefined });
    }
    assert.equal(
      bus.outbox.take(() => false),
      undefined,
    );
  }
  // 35: the rule is gone, and its topic is nobody's.
  for (const { dir, message } of readRecording('35-delete-rules')) {
    if (dir === 'cloud>edge') await dispatch(handlers, downstreamFromWire(message));
  }
  await client.publish({ topic: 'default/up', payload: 'late', qos: 1 });
  await client.publish({ topic: 'SYS/dis/upload_records', payload: 'last', qos: 1 });
  let item = bus.outbox.take(() => false);
  for (; !item; item = bus.outbox.take(() => false)) await pause();
  assert.equal(item.send.payload, 'last');
}

describe('recorded MQTT traffic', () => {
  test('with mosquitto', { skip: !hasMosquitto && 'mosquitto is not installed' }, async (t) => {
    const broker = await startMosquitto(t);
    const url = `tcp://127.0.0.1:${broker.port}`;
    await replay(t, await startEdge(t, { broker: { url, clientId: 'edge' } }), url);
  });

  test('with the broker inside', async (t) => {
    const edge = await startEdge(t, { inside: smallBroker });
    const { fields } = await edge.found('the MQTT broker listens');
    await replay(t, edge, `tcp://127.0.0.1:${String(fields['port'])}`);
  });
});

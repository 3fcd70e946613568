// EventBus between a real DeviceTwin and a broker in memory: the documents that KubeEdge's MQTT clients know, and a broker
// that comes and goes.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';
import type { EventBus } from '@kedge/edge/eventbus';
import { messageId } from '@kedge/model/messages';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { FakeBroker } from '@kedge/testing/mqtt';
import { connectApplication, device, type Heard, startEdgeDevices } from './eventbus-fixture.ts';

const base = '$hw/events/device/default/temp-1';
const name = { namespace: 'default', name: 'temp-1' };
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function rig(t: TestContext, objects = [device('temp-1')], path = ':memory:') {
  const clock = new FakeClock({ settle });
  const broker = new FakeBroker();
  const edge = await startEdgeDevices(t, { clock, mqtt: broker, url: broker.url, objects, path });
  const online = async (): Promise<void> => {
    while (broker.clients === 0) await settle();
    await settle();
  };
  await online();
  const app = await connectApplication(t, broker, broker.url);
  return { clock, broker, app, online, ...edge };
}
const side = (value: string, timestamp: number) => ({ value, metadata: { timestamp } });

describe('a mapper reports', () => {
  test('and clients get result, document and delta, in this order', async (t) => {
    const { app, clock, twin } = await rig(t);
    const at = clock.now();
    await twin.report(name, [{ property: 'temperature', reported: '25.5', observedDesired: '30', duplicate: false }]);
    const current = {
      metadata: { type: 'string' },
      optional: true,
      expected: side('30', at),
      actual: side('25.5', at),
    };
    assert.deepEqual(await app.next(3), [
      {
        topic: `${base}/twin/update/result`,
        body: { event_id: '', timestamp: at, twin: { temperature: current } },
      },
      {
        topic: `${base}/twin/update/document`,
        body: { event_id: '', timestamp: at, twin: { temperature: { last: null, current } } },
      },
      {
        topic: `${base}/twin/update/delta`,
        body: { event_id: 'id-2', timestamp: at, twin: { temperature: current }, delta: { temperature: '30' } },
      },
    ]);
  });

  test('and there is no delta when all is as it should be', async (t) => {
    const { app, twin } = await rig(t);
    await twin.report(name, [{ property: 'temperature', reported: '30', observedDesired: '30', duplicate: false }]);
    await twin.state(name, 'online');
    const topics = (await app.next(3)).map(({ topic }) => topic.slice(base.length + 1));
    assert.deepEqual(topics, ['twin/update/result', 'twin/update/document', 'state/update/result']);
  });
});

describe('an MQTT client', () => {
  test('reads a twin, without versions', async (t) => {
    const { app, twin, clock } = await rig(t);
    await twin.report(name, [{ property: 'temperature', reported: '25.5', duplicate: false }]);
    await app.next(2);
    await app.say(`${base}/twin/get`, { event_id: 'q1', timestamp: 0 });
    const actual = side('25.5', clock.now());
    assert.deepEqual(await app.next(1), [
      {
        topic: `${base}/twin/get/result`,
        body: {
          event_id: 'q1',
          timestamp: clock.now(),
          twin: { temperature: { actual, metadata: { type: 'string' }, optional: true } },
        },
      },
    ]);
  });

  test('sets an expected value, which the cloud gets as observed desired', async (t) => {
    const { app, twin } = await rig(t);
    await app.say(`${base}/twin/update`, {
      event_id: 's1',
      timestamp: 0,
      twin: { temperature: { expected: { value: '27 °C, "warm"' } } },
    });
    const [result, document, delta] = await app.next(3);
    assert.deepEqual([result?.body.event_id, document?.body.event_id], ['s1', 's1']);
    assert.equal(document?.body.twin.temperature.current.expected.value, '27 °C, "warm"');
    assert.deepEqual(delta?.body.delta, { temperature: '27 °C, "warm"' });
    const body = twin.outbox.take(() => false, true)?.send.body;
    assert.ok(body?.kind === 'twin.report');
    assert.equal(body.twins['temperature']?.expected?.value, '27 °C, "warm"');
    assert.deepEqual(body.twins['temperature']?.expected_version, { cloud: 0, edge: 1 });
  });

  test('makes twins with types, is held to them, and removes what may go', async (t) => {
    const { app, twin } = await rig(t);
    const update = async (twins: unknown): Promise<unknown> => {
      await app.say(`${base}/twin/update`, { event_id: 'e', twin: twins });
      const [answer] = await app.next(1);
      if (answer?.body.code === undefined) await app.next(1);
      return answer?.body.reason ?? answer?.body.twin;
    };
    await update({ count: { actual: { value: '5' }, metadata: { type: 'int' } }, stays: { optional: false } });
    assert.equal(await update({ count: { actual: { value: 'five' } } }), 'twin count: the value is not int');
    assert.equal(twin.twins(name)['count']?.actual?.value, '5');
    assert.deepEqual(await update({ count: null, stays: null, unheard: null }), { count: null });
    assert.deepEqual(Object.keys(twin.twins(name)), ['stays']);
  });

  test('may call a twin what every object has', async (t) => {
    const { app, twin } = await rig(t);
    await app.say(
      `${base}/twin/update`,
      '{"twin":{"constructor":{"actual":{"value":"1"}},"__proto__":{"actual":{"value":"2"}}}}',
    );
    const [result, document] = await app.next(2);
    assert.deepEqual(Object.keys(result?.body.twin), ['constructor', '__proto__']);
    assert.equal(document?.body.twin.constructor.last, null);
    assert.deepEqual(Object.keys(twin.twins(name)), ['__proto__', 'constructor']);
  });

  test('reports a state', async (t) => {
    const { app, twin, clock } = await rig(t);
    await app.say(`${base}/state/update`, { event_id: 'w', timestamp: 0, state: 'exploded' });
    await app.say(`${base}/state/update`, '{');
    await app.say('$hw/events/device/default/other/state/update', { event_id: 'o', state: 'online' });
    const refused = (await app.next(3)).map(({ topic, body: { event_id, code, reason } }) => [
      topic,
      event_id,
      code,
      reason,
    ]);
    const states = 'online, offline, ok, unknown, unhealthy';
    assert.deepEqual(
      refused.toSorted(),
      [
        [`${base}/state/update/result`, '', 400, 'Unmarshal request body failed, please check the request'],
        [`${base}/state/update/result`, 'w', 400, `The state is "exploded", needs one of ${states}`],
        [
          '$hw/events/device/default/other/state/update/result',
          'o',
          404,
          'state update rejected due to the device is not existed',
        ],
      ].toSorted(),
    );
    await app.say(`${base}/state/update`, { event_id: 'x', timestamp: 0, state: 'online' });
    const [answer] = await app.next(1);
    assert.equal(answer?.topic, `${base}/state/update/result`);
    assert.deepEqual(answer.body, {
      event_id: 'x',
      timestamp: clock.now(),
      device: { name: 'temp-1', state: 'online', lastOnlineTime: '2026-01-01T00:00:00Z' },
    });
    assert.equal(twin.stateOf(name)?.state, 'online');
  });

  test('asks which devices there are, and hears of those that come and go', async (t) => {
    const { app, put, remove, clock } = await rig(t);
    const members = '$hw/events/node/edge-1/membership';
    await app.say('$hw/events/node/other/membership/get', { event_id: 'm0' });
    await app.say(`${members}/get`, { event_id: 'm1' });
    put(device('lamp'));
    put(device('lamp'));
    remove(device('lamp'));
    const lamp = { id: 'default/lamp', name: 'lamp', description: 'the lamp' };
    const heard = await app.next(3);
    const answer = heard.find(({ topic }) => topic === `${members}/get/result`)!;
    assert.equal(answer.body.event_id, 'm1');
    assert.deepEqual(answer.body.devices[0], {
      id: 'default/temp-1',
      name: 'temp-1',
      description: 'the temp-1',
      state: '',
      last_online: '',
      attributes: {},
    });
    const news = heard.filter(({ topic }) => topic === `${members}/updated`).map(({ body }) => body);
    assert.deepEqual(
      news.map(({ added_devices, removed_devices, timestamp }) => [added_devices, removed_devices, timestamp]),
      [
        [[lamp], null, clock.now()],
        [null, [lamp], clock.now()],
      ],
    );
  });

  test('without a namespace in its topics means default, and is answered there', async (t) => {
    const { app, twin } = await rig(t);
    const topicsOf = async (count: number) => (await app.next(count)).map(({ topic }) => topic);
    await app.say('$hw/events/device/temp-1/twin/get', { event_id: 'q' });
    assert.deepEqual(await topicsOf(2), [`${base}/twin/get/result`, '$hw/events/device/temp-1/twin/get/result']);
    await twin.state(name, 'ok');
    assert.deepEqual(await topicsOf(2), [
      `${base}/state/update/result`,
      '$hw/events/device/temp-1/state/update/result',
    ]);
  });

  const long = 'x'.repeat(4_097);
  const malformed: [string, unknown, RegExp][] = [
    ['is not JSON', '{', /Unmarshal update request body failed/],
    ['is not an object', '[]', /Unmarshal update request body failed/],
    ['has no twin', { event_id: 'e' }, /key:twin does not exist/],
    ['has a number for a value', { twin: { a: { actual: { value: 5 } } } }, /Unmarshal/],
    ['has text for a time', { twin: { a: { actual: { value: '5', metadata: { timestamp: '1' } } } } }, /Unmarshal/],
    ['has a name with a space', { twin: { 'a b': { actual: { value: '5' } } } }, /"a b" has not/],
    ['has too long a value', { twin: { a: { expected: { value: long } } } }, /has 4097 bytes, over 4096/],
  ];
  for (const [what, body, reason] of malformed) {
    test(`gets a 400 when its update ${what}: on the topic of the device, and where KubeEdge has it`, async (t) => {
      const { app, twin } = await rig(t);
      await app.say(`${base}/twin/update`, body);
      const answers = await app.next(2);
      assert.deepEqual(
        answers.map(({ topic, body: { code } }) => [topic, code]),
        [
          [`${base}/twin/update/result`, 400],
          ['$hw/events/device//twin/update/result', 400],
        ],
      );
      for (const answer of answers) assert.match(answer.body.reason, reason);
      assert.deepEqual(twin.twins(name), {});
    });
  }

  test('is told about devices that there are not, and about questions that are none', async (t) => {
    const { app, clock } = await rig(t);
    const other = '$hw/events/device/default/other';
    await app.say(`${other}/twin/update`, { event_id: 's2', twin: {} });
    await app.say(`${other}/twin/get`, { event_id: 's3' });
    await app.say(`${base}/twin/get`, '');
    const answers = await app.next(3);
    assert.deepEqual(answers.map(({ topic, body: { event_id, code } }) => [topic, event_id, code]).sort(), [
      [`${other}/twin/get/result`, 's3', 404],
      [`${other}/twin/update/result`, 's2', 404],
      [`${base}/twin/get/result`, '', 400],
    ]);
    assert.deepEqual(answers.find(({ body }) => body.event_id === 's2')?.body, {
      event_id: 's2',
      timestamp: clock.now(),
      code: 404,
      reason: 'update rejected due to the device is not existed',
    });
  });
});

describe('an MQTT client asks for history', () => {
  const ask = `${base}/history/get`;
  test('and gets the last values of a property, or of all', async (t) => {
    const { app, twin, clock } = await rig(t);
    const began = clock.now();
    for (const reported of ['1', '2', '3']) {
      await twin.report(name, [
        { property: 'temperature', reported, duplicate: false },
        { property: 'humidity', reported, duplicate: false },
      ]);
      if (reported !== '3') await clock.advance(seconds(60));
    }
    await app.next(6);
    await app.say(ask, { event_id: 'h1', property: 'temperature', limit: 2 });
    await app.say(ask, { event_id: 'h2', last: '30s' });
    await app.say(ask, { event_id: 'h3', since: began, until: began });
    const [two, recent, first] = await app.next(3);
    assert.equal(two?.topic, `${ask}/result`);
    assert.deepEqual(two.body, {
      event_id: 'h1',
      timestamp: clock.now(),
      history: {
        temperature: [
          { timestamp: began + 60_000, value: '2' },
          { timestamp: began + 120_000, value: '3' },
        ],
      },
    });
    const values = (of: Heard | undefined) =>
      Object.entries<{ value: string }[]>(of?.body.history).map(([key, samples]) => [
        key,
        samples.map(({ value }) => value),
      ]);
    assert.deepEqual(values(recent), [
      ['humidity', ['3']],
      ['temperature', ['3']],
    ]);
    assert.deepEqual(values(first), [
      ['humidity', ['1']],
      ['temperature', ['1']],
    ]);
  });

  test('and is told what is wrong with a question', async (t) => {
    const { app } = await rig(t);
    const questions = ['', '{"last":"soon"}', '{"limit":0}', '{"since":"x"}', '{"property":5}'];
    for (const question of questions) await app.say(ask, question);
    await app.say('$hw/events/device/default/other/history/get', '{}');
    const codes = (await app.next(6)).map(({ body }) => body.code);
    assert.deepEqual(codes.toSorted(), [400, 400, 400, 400, 400, 404]);
  });

  test('and one answer is of a size that clients can take', async (t) => {
    const { app, twin, clock } = await rig(t);
    const long = 'x'.repeat(4_096);
    for (let n = 0; n < 60; n += 1) {
      await twin.report(name, [
        { property: 'temperature', reported: `${n} ${long}`.slice(0, 4_096), duplicate: false },
      ]);
      await clock.advance(seconds(1));
    }
    await app.next(120);
    await app.say(ask, { event_id: 'h' });
    const [answer] = await app.next(1);
    const samples: { value: string }[] = answer?.body.history.temperature;
    assert.equal(answer?.body.truncated, true);
    assert.ok(JSON.stringify(answer.body).length < 700_000 && samples.length > 30);
    assert.match(samples.at(-1)!.value, /^59 /);
  });
});

describe('rules of the cloud', () => {
  const message = { id: messageId('m'), at: 0 };
  const uploaded = (bus: EventBus): string[] => {
    const all: string[] = [];
    for (let item = bus.outbox.take(() => false); item; item = bus.outbox.take(() => false)) {
      all.push(`${item.send.topic} ${item.send.payload}`);
      void bus.outbox.settle(item, { ok: true, value: undefined });
    }
    return all;
  };

  test('hear what KubeEdge has them hear, and the topics that they ask for, also after a break and a restart', async (t) => {
    const path = join(await temporaryDirectory(t), 'edge.db');
    const { bus, broker, clock, online, close } = await rig(t, [device('temp-1')], path);
    const say = async (): Promise<void> => {
      const app = await connectApplication(t, broker, broker.url);
      for (const topic of ['default/up', 'other/up', 'a/user/b/c', '$hw/events/upload/x', 'SYS/dis/upload_records']) {
        await app.say(topic, '1');
      }
      await settle();
    };
    const always = ['a/user/b/c 1', '$hw/events/upload/x 1', 'SYS/dis/upload_records 1'];
    await say();
    assert.deepEqual(uploaded(bus), always);
    await bus.handlers['bus.subscribe']({ ...message, kind: 'bus.subscribe', topic: 'default/up' });
    await say();
    assert.deepEqual(uploaded(bus), ['default/up 1', ...always]);
    broker.cut();
    await clock.advance(seconds(60));
    await online();
    await say();
    assert.deepEqual(uploaded(bus), ['default/up 1', ...always]);
    await close();

    const later = await rig(t, [device('temp-1')], path);
    const app = await connectApplication(t, later.broker, later.broker.url);
    await app.say('default/up', '2');
    await settle();
    assert.deepEqual(uploaded(later.bus), ['default/up 2']);
    await later.bus.handlers['bus.unsubscribe']({ ...message, kind: 'bus.unsubscribe', topic: 'default/up' });
    await app.say('default/up', '3');
    await settle();
    assert.deepEqual(uploaded(later.bus), []);
  });

  test('publish here, and a topic that the broker forbids costs nothing else', async (t) => {
    const { bus, broker, app, logged } = await rig(t);
    broker.forbidden.add('default/secret');
    await bus.handlers['bus.subscribe']({ ...message, kind: 'bus.subscribe', topic: 'default/secret' });
    await bus.handlers['bus.publish']({
      ...message,
      kind: 'bus.publish',
      topic: '$hw/any',
      payload: '{"msg":"hello"}',
    });
    assert.deepEqual(await app.next(1), [{ topic: '$hw/any', body: { msg: 'hello' } }]);
    assert.equal(logged.at(-1)?.sentence, 'the MQTT broker refuses a topic of a rule');
  });

  test('that are out of reach cost the oldest messages, not memory', async (t) => {
    const { bus, app } = await rig(t);
    for (let n = 0; n < 700; n += 1) await app.say('SYS/dis/upload_records', String(n));
    await settle();
    const kept = uploaded(bus);
    assert.deepEqual([kept.length, kept.at(-1)], [500, 'SYS/dis/upload_records 699']);
  });
});

describe('a broker that goes away', () => {
  test('is dialled again, with all subscriptions, and gets what happened meanwhile', async (t) => {
    const { broker, clock, twin, online, logged } = await rig(t);
    broker.stop();
    await settle();
    await twin.report(name, [{ property: 'temperature', reported: '1', duplicate: false }]);
    await clock.advance(seconds(10));
    broker.isUp = true;
    const app = await connectApplication(t, broker, broker.url);
    await clock.advance(seconds(60));
    await online();
    const topics = (await app.next(2)).map(({ topic }) => topic);
    assert.deepEqual(topics, [`${base}/twin/update/result`, `${base}/twin/update/document`]);
    await app.say(`${base}/twin/get`, { event_id: 'again' });
    assert.equal((await app.next(1))[0]?.body.event_id, 'again');
    const said = logged.map(({ sentence }) => sentence);
    assert.equal(said.filter((sentence) => sentence === 'connected to the MQTT broker').length, 2);
    // Closed, then refused for as long as it was away: two reasons, two lines.
    assert.equal(said.filter((sentence) => sentence === 'no MQTT broker').length, 2);
  });

  test('for long costs the oldest messages, not memory', async (t) => {
    const { broker, clock, twin, online, logged } = await rig(t);
    broker.stop();
    await settle();
    for (let n = 0; n < 1_100; n += 1) {
      await twin.report(name, [{ property: 'temperature', reported: `${n}`, duplicate: false }]);
    }
    broker.isUp = true;
    const app = await connectApplication(t, broker, broker.url);
    await clock.advance(seconds(60));
    await online();
    const heard = await app.next(2_000);
    assert.equal(heard.at(-1)?.body.twin.temperature.current.actual.value, '1099');
    const dropped = logged.find(({ sentence }) => sentence.includes('dropped'));
    assert.equal(dropped?.fields.count, 200);
  });

  test('because of one message loses that one, and gets the others', async (t) => {
    const { broker, clock, twin, online, logged } = await rig(t);
    const app = await connectApplication(t, broker, broker.url);
    broker.isPoison = ({ topic }) => topic.endsWith('/result');
    await twin.report(name, [{ property: 'temperature', reported: '1', duplicate: false }]);
    await clock.advance(seconds(300));
    await online();
    assert.equal((await app.next(1))[0]?.topic, `${base}/twin/update/document`);
    assert.equal(logged.filter(({ sentence }) => sentence.includes('hangs up on it')).length, 1);
  });

  test('while messages are on their way gets them again', async (t) => {
    const { app, broker, clock, twin, online } = await rig(t);
    let cuts = 0;
    broker.isPoison = ({ topic }) => topic.endsWith('/document') && (cuts += 1) === 1;
    await twin.report(name, [{ property: 'temperature', reported: '1', duplicate: false }]);
    await clock.advance(seconds(60));
    await online();
    const topics = (await app.next(3)).map(({ topic }) => topic.slice(`${base}/twin/update/`.length));
    assert.deepEqual(topics, ['result', 'result', 'document']);
  });
});

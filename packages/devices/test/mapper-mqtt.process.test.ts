// The MQTT mapper on a real mosquitto: what every mapper must do, and what only MQTT has.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { seconds } from '@kedge/core/time';
import type { PropertyType } from '@kedge/model/kubeedge';
import { createMqtt } from '@kedge/platform/mqtt';
import { createRandom, systemClock } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { describeMapper, temporaryDirectory } from '@kedge/testing/contracts';
import { hasMosquitto, type MosquittoOptions, startMosquitto } from '@kedge/testing/mosquitto';
import { announcements, createMqttMapper } from '../src/mapper-mqtt/index.ts';
import { mapperErrors, readConfig, type Reading } from '../src/mapper-sdk/index.ts';

const driver = createMqttMapper({ mqtt: async () => createMqtt() });
const deps = { clock: systemClock, random: createRandom() };

/** A broker, and somebody who publishes there. */
async function place(t: TestContext, options: MosquittoOptions = {}) {
  const broker = await startMosquitto(t, options);
  const url = `tcp://127.0.0.1:${broker.port}`;
  const heard: string[] = [];
  const connect = () =>
    createMqtt().connect({
      url,
      clientId: `test-${Math.random()}`,
      timeoutMs: 5_000,
      onMessage: async ({ topic, payload }) => void heard.push(`${topic} ${new TextDecoder().decode(payload)}`),
    });
  const device = options.user ? undefined : await connect();
  t.after(() => device?.close());
  const publish = (topic: string, payload: string | Uint8Array, retain = true): Promise<void> =>
    device!.publish({ topic, payload, qos: 1, retain });
  return { ...broker, url, device, publish, heard, connect };
}

describe('the MQTT mapper', { skip: !hasMosquitto && 'mosquitto is not installed' }, () => {
  describeMapper('MQTT on mosquitto', driver, deps, async (t) => {
    const { url, publish, stop } = await place(t);
    await publish('hall/temperature', '21.5');
    await publish('hall/state', '{"lamp":{"on":"AUF"},"level":[10,20],"name":"Käse"}');
    await publish('hall/picture', Uint8Array.of(0, 255, 7));
    const state = (jsonPath: string, more: Record<string, unknown> = {}) => ({
      topic: 'hall/state',
      jsonPath,
      ...more,
    });
    return {
      protocolConfig: { brokerURL: url, timeout: 2 },
      properties: {
        temperature: {
          type: 'DOUBLE',
          visitor: { topic: 'hall/temperature', format: 'number', writeTopic: 'hall/temperature', retain: true },
          value: 21.5,
        },
        lamp: { type: 'BOOLEAN', visitor: state('$.lamp.on', { payloadTrue: 'AUF', payloadFalse: 'ZU' }), value: true },
        level: { type: 'INT', visitor: state('level[1]'), value: 20 },
        name: { type: 'STRING', visitor: state('$.name'), value: 'Käse' },
        picture: {
          type: 'BYTES',
          visitor: { topic: 'hall/picture', format: 'bytes' },
          value: Uint8Array.of(0, 255, 7),
        },
      },
      writable: 'temperature',
      written: 30,
      missing: { topic: 'hall/nothing' },
      unusable: { topic: 'hall/temperature', format: 'xml' },
      set: (_, value) => publish('hall/temperature', String(value)),
      stop,
    };
  });

  async function open(t: TestContext, protocol: Record<string, unknown>) {
    const stop = new AbortController();
    t.after(() => stop.abort(new Error('the test is over')));
    const config = readConfig(driver.protocolConfig, protocol, 'protocol');
    const connection = await driver.open(config, { ...deps, log: silentLog, signal: stop.signal });
    t.after(() => connection.close());
    const point = (property: string, visitor: Record<string, unknown>, type: PropertyType = 'STRING') => ({
      property,
      type,
      access: 'ReadWrite' as const,
      visitor: readConfig(driver.visitorConfig, visitor, property),
    });
    const told: Reading[] = [];
    let rounds = 0;
    let wake: () => void = () => undefined;
    const onReadings = (readings: readonly Reading[]): void => {
      told.push(...readings);
      rounds += 1;
      wake();
    };
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) await new Promise<void>((resolve) => (wake = resolve));
    };
    return { connection, point, told, onReadings, until, signal: stop.signal, rounds: () => rounds };
  }

  const reasonOf = (reading: Reading | undefined): string | undefined =>
    reading && 'error' in reading && mapperErrors.FAULT.is(reading.error) ? reading.error.details.reason : undefined;

  test('a user and a password from a file; a wrong one is refused in words', async (t) => {
    const { url } = await place(t, { user: { username: 'mapper', password: 'right' } });
    await open(t, { brokerURL: url, username: 'mapper', password: 'right' });
    await assert.rejects(
      open(t, { brokerURL: url, username: 'mapper', password: 'wrong' }),
      (error) =>
        mapperErrors.FAULT.is(error) &&
        error.details.reason === 'LoginRefused' &&
        /check user, password/.test(error.message),
    );
    await assert.rejects(
      open(t, { brokerURL: url, username: 'mapper', passwordFile: '/nowhere' }),
      (error) => mapperErrors.BAD_CONFIG.is(error) && /passwordFile is "\/nowhere"/.test(error.message),
    );
  });

  test('over TLS the broker has to be one of the CA, and is shown our certificate', async (t) => {
    const common = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
    const authority = (commonName: string) =>
      createCertificateAuthorities().createAuthority({ ...common, subject: { commonName, organizations: [] } });
    const [ours, strange] = [await authority('CA'), await authority('other CA')];
    const issue = (commonName: string, usage: 'serverAuth' | 'clientAuth') =>
      ours.issueWithKey({
        ...common,
        subject: { commonName, organizations: [] },
        usages: [usage],
        addresses: ['127.0.0.1'],
      });
    const [server, client] = [await issue('broker', 'serverAuth'), await issue('mapper', 'clientAuth')];
    const broker = await startMosquitto(t, {
      tls: { certificate: server.certificatePem, key: server.key.reveal(), clientCa: ours.certificatePem },
    });
    const directory = await temporaryDirectory(t);
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(join(directory, name), content);
      return join(directory, name);
    };
    const brokerURL = `ssl://127.0.0.1:${broker.port}`;
    const own = {
      certificate: await file('client.crt', client.certificatePem),
      privateKey: await file('client.key', client.key.reveal()),
    };
    const ca = await file('ca.crt', ours.certificatePem);
    await open(t, { brokerURL, ca, ...own });
    const reasonIs = (reason: string) => (error: unknown) =>
      mapperErrors.FAULT.is(error) && error.details.reason === reason;
    const other = await file('other.crt', strange.certificatePem);
    await assert.rejects(open(t, { brokerURL, ca: other, ...own }), reasonIs('UntrustedBroker'));
    await assert.rejects(open(t, { brokerURL, ...own }), reasonIs('UntrustedBroker'));
    await assert.rejects(open(t, { brokerURL, ca }), mapperErrors.FAULT.is);
    await assert.rejects(open(t, { brokerURL, ca, certificate: ca }), mapperErrors.BAD_CONFIG.is);
    const unchecked = { brokerURL, insecureSkipVerify: true, ...own };
    await assert.rejects(open(t, unchecked), mapperErrors.BAD_CONFIG.is);
  });

  test('a device that says it is away is offline, until it says it is back', async (t) => {
    const { url, publish } = await place(t);
    await publish('lamp/status', 'offline');
    const { connection, onReadings, until, signal } = await open(t, { url, availabilityTopic: 'lamp/status' });
    await connection.subscribe!([], onReadings, signal);
    await until(() => connection.offline!() !== undefined);
    assert.match(connection.offline!()!.message, /says "offline" on "lamp\/status"/);
    await publish('lamp/status', 'online');
    await until(() => connection.offline!() === undefined);
  });

  test('a message that is too long or not what it should be concerns its properties alone, and the next one is read', async (t) => {
    const { url, publish } = await place(t);
    const { connection, point, onReadings, until, told, signal } = await open(t, { url, maxPayload: 100 });
    const points = [point('a', { topic: 'x', jsonPath: '$.a' }), point('b', { topic: 'y' })];
    await connection.subscribe!(points, onReadings, signal);
    await publish('x', 'x'.repeat(101));
    await publish('x', '{"a":');
    await publish('x', '{"b":1}');
    await publish('y', 'fine');
    await publish('x', '{"a":7}');
    await until(() => told.some((one) => 'value' in one && one.value === 7));
    const reasons = told.filter(({ property }) => property === 'a').map(reasonOf);
    assert.deepEqual(reasons, ['TooLong', 'BadPayload', 'NoValue', undefined]);
    assert.ok(told.some((one) => one.property === 'b' && 'value' in one && one.value === 'fine'));
  });

  test('devices of one broker share a connection, and each goes alone', async (t) => {
    const { url, publish } = await place(t);
    await publish('shared', '1');
    const first = await open(t, { url, clientID: 'one-for-all' });
    const second = await open(t, { url, clientID: 'one-for-all' });
    for (const { connection, point, signal } of [first, second]) {
      const [reading] = await connection.read([point('p', { topic: 'shared' })], signal);
      assert.equal(reading && 'value' in reading && reading.value, '1');
    }
    await first.connection.close();
    await publish('shared', '2');
    await second.connection.subscribe!([second.point('p', { topic: 'shared' })], second.onReadings, second.signal);
    await second.until(() => second.told.some((one) => 'value' in one && one.value === '2'));
  });

  test('a broker that ends is noticed, and reached again when it is back', async (t) => {
    const { url, start, stop } = await place(t);
    const { connection } = await open(t, { url });
    await stop();
    assert.match((await connection.lost!).message, /the broker is lost/);
    await assert.rejects(open(t, { url, timeout: 1 }), (error) => mapperErrors.FAULT.is(error));
    await start();
    await open(t, { url });
  });

  test('what is written is published as the template says, and nothing else', async (t) => {
    const { url, device, heard, connect } = await place(t);
    await device!.subscribe(['lamp/set'], 1);
    const { connection, point, signal } = await open(t, { url });
    const lamp = {
      topic: 'lamp',
      payloadTrue: 'ON',
      payloadFalse: 'OFF',
      writeTopic: 'lamp/set',
      writeTemplate: '{"state":{{json}}}',
    };
    await connection.write!(point('lamp', lamp, 'BOOLEAN'), true, signal);
    await assert.rejects(
      connection.write!(point('lamp', { topic: 'lamp' }), 'x', signal),
      (error) => mapperErrors.REFUSED.is(error) && /writeTopic is not set/.test(error.message),
    );
    // What it hears of this one, it has heard after the other.
    const last = await connect();
    await last.publish({ topic: 'lamp/set', payload: 'last', qos: 1 });
    while (!heard.includes('lamp/set last')) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(heard, ['lamp/set {"state":"ON"}', 'lamp/set last']);
    await last.close();
  });

  test('finds what announces itself, and what is said on plain topics', async (t) => {
    const { url, publish } = await place(t);
    const announce = {
      name: 'Temperature',
      stat_t: 'hall/state',
      val_tpl: '{{ value_json.t }}',
      unit_of_meas: '°C',
      dev: { name: 'Hall sensor', ids: 'h1' },
    };
    await publish('homeassistant/sensor/hall/t/config', JSON.stringify(announce));
    await publish('homeassistant/sensor/broken/config', '{');
    await publish('garden/pump/power', '12.5');
    await publish('garden/valve', '{"open":true,"flow":{"rate":3}}');
    const signal = new AbortController().signal;
    const found = await announcements(
      createMqtt(),
      { broker: { brokerURL: url }, listenFor: seconds(0.5), discovery: ['homeassistant/#'], topics: ['garden/#'] },
      { ...deps, signal },
    );
    assert.deepEqual(found.map(({ name }) => name).sort(), ['garden-pump', 'garden-valve', 'hall-sensor']);
    const [hall] = found.filter(({ name }) => name === 'hall-sensor');
    assert.deepEqual(hall!.properties, [
      {
        name: 'Temperature',
        type: 'DOUBLE',
        access: 'ReadOnly',
        unit: '°C',
        visitorConfig: { topic: 'hall/state', jsonPath: '$.t' },
      },
    ]);
    const [valve] = found.filter(({ name }) => name === 'garden-valve');
    assert.deepEqual(
      valve!.properties.map(({ name, type, visitorConfig }) => [name, type, visitorConfig['jsonPath']]),
      [
        ['open', 'BOOLEAN', '$.open'],
        ['flow-rate', 'DOUBLE', '$.flow.rate'],
      ],
    );
  });
});

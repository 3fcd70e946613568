// Our DMI server and our mapper SDK over real Unix sockets: everything that passes between them, and what happens when
// either goes away.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { milliseconds } from '@kedge/core/time';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createHttpClient, systemClock } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { createDeviceManager, fromAny } from '@kedge/wire/dmi';
import { device, model, place, until } from './dmi-rig.ts';

describe('a mapper of ours with our edgecore', () => {
  test('gets its devices, gives them what is desired, and reports what they say', async (t) => {
    const { boxes, put, run, server, mapper, reports, states, conditions } = await place(t);
    boxes.set('a', [215, 7]);
    put(device('a', '23.5'));
    await run(server());
    await run(mapper());
    await until('a report of what was desired', () =>
      reports.some(
        ({ property, reported, observedDesired }) =>
          property === 'temperature' && reported === '23.5' && observedDesired === '23.5',
      ),
    );
    assert.equal(boxes.get('a')![0], 235);
    const count = reports.find(({ property }) => property === 'count')!;
    assert.equal(count.reported, '7');
    assert.equal(count.observedDesired, undefined);
    assert.ok(count.at! > 1.7e12 && !count.duplicate);
    await until('online', () => states.get('a') === 'online' && conditions.get('a/Communicating')?.status === 'True');
  });

  test('a new desired value is written without connecting anew; new devices come and go', async (t) => {
    const { boxes, opened, put, remove, run, server, mapper, reports } = await place(t);
    boxes.set('a', [215, 7]).set('b', [100, 1]);
    put(device('a'));
    await run(server());
    await run(mapper());
    await until('a report', () => reports.length > 0);
    put(device('a', '30'));
    await until('30 written', () => boxes.get('a')![0] === 300);
    assert.deepEqual(opened, ['a']);
    put(device('b'));
    await until('a report of b', () => reports.some((one) => one.device === 'b'));
    remove('b');
    await until('b is left alone', () => {
      const before = reports.filter((one) => one.device === 'b').length;
      reports.length = 0;
      return before === 0;
    });
  });

  test('a bad configuration, a bad register, a refused value, a missing device: a condition each, and no other device notices', async (t) => {
    const { boxes, models, put, run, server, mapper, reports, states, conditions } = await place(t);
    boxes.set('good', [1, 2]).set('short', [1]).set('proud', [1, 2]);
    models.set('default/temp-model', model);
    put(
      device('good'),
      device('short'),
      device('proud', '66.6'),
      device('gone'),
      device('odd', '', { box: '', delay: 'soon' }),
    );
    put({ ...device('lost'), spec: { ...device('lost').spec, deviceModelRef: { name: 'nowhere' } } });
    await run(server());
    await run(mapper());
    const said = (key: string): string => `${conditions.get(key)?.status} ${conditions.get(key)?.reason}`;
    await until(
      'all conditions',
      () =>
        said('short/Communicating') === 'False IllegalAddress' &&
        said('proud/Desired') === 'False Refused' &&
        said('gone/Communicating') === 'False Unreachable' &&
        said('odd/Configured') === 'False BadConfiguration' &&
        said('lost/HandedOver') === 'False ModelNotFound',
    );
    assert.match(conditions.get('odd/Configured')!.message, /delay is "soon", needs a whole number/);
    assert.deepEqual([states.get('short'), states.get('gone')], ['unhealthy', 'offline']);
    assert.ok(reports.some(({ device: name, property }) => name === 'short' && property === 'temperature'));
    assert.ok(reports.some(({ device: name }) => name === 'good'));
    assert.equal(said('good/Communicating'), 'True AsExpected');
  });

  test('samples wait while edgecore is away, and arrive in order; it knows its mappers again', async (t) => {
    const { boxes, put, run, server, mapper, reports } = await place(t);
    boxes.set('a', [0, 0]);
    put(device('a'));
    const stop = await run(server());
    await run(mapper());
    await until('a report', () => reports.length > 0);
    await stop();
    for (let n = 1; n <= 10; n++) {
      boxes.get('a')![1] = n;
      await systemClock.sleep('the next sample', milliseconds(40));
    }
    await run(server());
    await until('the last sample', () =>
      reports.some(({ property, reported }) => property === 'count' && reported === '10'),
    );
    const counts = reports.filter(({ property }) => property === 'count').map(({ reported }) => Number(reported));
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
    );
    assert.deepEqual([...new Set(counts)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    put(device('a', '44'));
    await until('44 written', () => boxes.get('a')![0] === 440);
  });

  test('a device that was restarted is given again what is desired', async (t) => {
    const { boxes, opened, put, run, server, mapper, lose } = await place(t);
    boxes.set('a', [100, 0]);
    put(device('a', '42'));
    await run(server());
    await run(mapper());
    await until('42 written', () => boxes.get('a')![0] === 420);
    boxes.set('a', [100, 0]);
    lose('a');
    await until('42 written again', () => boxes.get('a')![0] === 420);
    assert.equal(opened.length, 2);
  });

  test('a mapper that comes back has its devices again', async (t) => {
    const { boxes, put, run, server, mapper, reports } = await place(t);
    boxes.set('a', [0, 0]);
    put(device('a'));
    await run(server());
    const stop = await run(mapper());
    await until('a report', () => reports.length > 0);
    await stop();
    reports.length = 0;
    await run(mapper());
    await until('reports again', () => reports.length > 0);
  });

  test('a mapper that dies, or hangs, is noticed; its devices are offline, no other ones, and online when it is back', async (t) => {
    const { boxes, directory, put, run, server, mapper, reports, states, conditions } = await place(t);
    boxes.set('a', [0, 0]);
    const strange = device('strange');
    put(device('a'), { ...strange, spec: { ...strange.spec, protocol: { protocolName: 'stuck' } } });
    await run(server({ aliveEvery: milliseconds(50), callTimeout: milliseconds(100) }));
    const stop = await run(mapper());
    assert.equal(conditions.get('strange/MapperReady')?.reason, 'NoMapper');
    await until('online', () => states.get('a') === 'online');
    // Registers, and then answers nothing.
    const stuckSocket = join(directory, 'stuck.sock');
    const stuck = await grpcServers.listen({
      socketPath: stuckSocket,
      handlers: { '/grpc.health.v1.Health/Check': () => new Promise(() => undefined) },
    });
    t.after(() => stuck.close());
    const channel = openGrpcChannel({ socketPath: join(directory, 'dmi.sock') });
    t.after(() => channel.close());
    const address = new TextEncoder().encode(stuckSocket);
    await createDeviceManager(channel).mapperRegister({
      mapper: { name: 'stuck', protocol: 'stuck', address },
      withData: true,
    });
    await until('it hangs', () => conditions.get('strange/MapperReady')?.reason === 'MapperHangs');
    assert.deepEqual([states.get('strange'), states.get('a')], ['offline', 'online']);
    await stop();
    await until('it is gone', () => states.get('a') === 'offline');
    assert.equal(conditions.get('a/MapperReady')?.reason, 'MapperGone');
    reports.length = 0;
    await run(mapper());
    await until('it is back', () => states.get('a') === 'online' && conditions.get('a/MapperReady')?.status === 'True');
  });

  test('reads, writes and describes over the REST API', async (t) => {
    const { boxes, put, run, server, mapper, reports } = await place(t);
    boxes.set('a', [215, 7]);
    put(device('a'));
    await run(server());
    const program = mapper({ http: { address: '127.0.0.1', port: 0 } });
    await run(program);
    await until('a report', () => reports.length > 0);
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${program.port}${path}`, {
        headers: { 'x-correlation-id': 'c1' },
      });
      return { status: response.status, text: await response.text(), id: response.headers.get('x-correlation-id') };
    };
    const read = await get('/api/v1/device/default/a/temperature');
    const { Data, apiVersion, statusCode } = JSON.parse(read.text);
    assert.deepEqual([apiVersion, statusCode, read.id], ['v1', 200, 'c1']);
    assert.deepEqual(
      [Data.DeviceName, Data.PropertyName, Data.Value, Data.Type],
      ['a', 'temperature', '21.5', 'float'],
    );
    const written = await get('/api/v1/devicemethod/default/a/SetTemp/temperature/42');
    assert.equal(written.status, 200);
    assert.equal(boxes.get('a')![0], 420);
    const tooHot = await get('/api/v1/devicemethod/default/a/SetTemp/temperature/420');
    assert.deepEqual([tooHot.status, /above the maximum of 100/.test(tooHot.text)], [500, true]);
    assert.equal((await get('/api/v1/device/default/x/temperature')).status, 500);
    assert.match((await get('/api/v1/devicemethod/default/a')).text, /SetTemp\/\{propertyName\}\/\{data\}/);
    assert.match((await get('/api/v1/meta/model/default/a')).text, /"dataType":"FLOAT"/);
    assert.equal((await get('/healthz')).text, 'ok');
    assert.match((await get('/metrics')).text, /kedge_mapper_samples_total\{outcome="delivered"\} [1-9]/);
  });
});

describe('the REST API of a mapper over HTTPS', () => {
  const lifetime = { notBefore: systemClock.now() - 60_000, notAfter: systemClock.now() + 3_600_000 };
  const people = { organizations: ['people'] };

  async function authority(commonName: string) {
    const ca = await createCertificateAuthorities().createAuthority({
      subject: { commonName, organizations: [] },
      ...lifetime,
    });
    const issue = async (name: string, usage: 'serverAuth' | 'clientAuth') => {
      const { certificatePem, key } = await ca.issueWithKey({
        subject: { commonName: name, ...people },
        dnsNames: ['localhost'],
        addresses: ['127.0.0.1'],
        usages: [usage],
        ...lifetime,
      });
      return { certificate: certificatePem, key: key.reveal() };
    };
    return { ca: ca.certificatePem, issue };
  }

  test('with clients that show a certificate, calls methods; others are turned away', async (t) => {
    const { boxes, put, run, server, mapper, reports } = await place(t);
    boxes.set('a', [215, 7]);
    put(device('a'));
    await run(server());
    const ours = await authority('ours');
    const files = await ours.issue('mapper', 'serverAuth');
    const tls = { load: async () => files, clientCa: ours.ca };
    const program = mapper({ http: { address: '127.0.0.1', port: 0, tls } });
    await run(program);
    await until('a report', () => reports.length > 0);
    const get = async (tlsOfClient: { ca: string; certificate?: string; key?: string }, path: string) => {
      const http = createHttpClient({ tls: tlsOfClient });
      try {
        const response = await http.request({ method: 'GET', url: `https://127.0.0.1:${program.port}${path}` });
        return { status: response.status, body: await response.text(1 << 16) };
      } finally {
        await http.close();
      }
    };
    const friend = { ca: ours.ca, ...(await ours.issue('friend', 'clientAuth')) };
    const listed = await get(friend, '/api/v1/devicemethod/default/a');
    assert.match(listed.body, /"Name":"SetTemp"/);
    const called = await get(friend, '/api/v1/devicemethod/default/a/SetTemp/temperature/42');
    assert.equal(called.status, 200);
    assert.equal(boxes.get('a')![0], 420);
    await assert.rejects(get({ ca: ours.ca }, '/api/v1/ping'));
    const theirs = await authority('theirs');
    await assert.rejects(get({ ca: ours.ca, ...(await theirs.issue('stranger', 'clientAuth')) }, '/api/v1/ping'));
    await assert.rejects(get({ ...friend, ca: theirs.ca }, '/api/v1/ping'));
    await assert.rejects(fetch(`http://127.0.0.1:${program.port}/api/v1/ping`));
  });
});

test('a stream is handed over as it is, has no value in the cloud, and its address is read over the REST API', async (t) => {
  const { boxes, directory, models, put, run, server, mapper, reports } = await place(t);
  models.set('default/temp-model', {
    ...model,
    spec: { ...model.spec, properties: [...model.spec!.properties!, { name: 'saveFrame', type: 'STREAM' }] },
  });
  boxes.set('a', [215, 7, 'rtsp://camera/1']);
  const plain = device('a');
  const configData = { register: 2, format: 'jpg', frameCount: 30, frameInterval: 1_000_000_001 };
  const film = {
    name: 'saveFrame',
    reportToCloud: true,
    collectCycle: 20,
    visitors: { protocolName: 'toy', configData },
  };
  put({ ...plain, spec: { ...plain.spec, properties: [...plain.spec!.properties!, film] } });
  await run(server());
  const channel = openGrpcChannel({ socketPath: join(directory, 'dmi.sock') });
  t.after(() => channel.close());
  const manager = createDeviceManager(channel);
  const address = new TextEncoder().encode(join(directory, 'other.sock'));
  const { deviceList, modelList } = await manager.mapperRegister({
    withData: true,
    mapper: { name: 'go', protocol: 'toy', address },
  });
  const handed = deviceList?.[0]?.spec?.properties?.find(({ name }) => name === 'saveFrame');
  const data = Object.entries(handed?.visitors?.configData?.data ?? {}).map(([key, any]) => [key, fromAny(any)]);
  assert.deepEqual(Object.fromEntries(data), configData);
  assert.equal(modelList?.[0]?.spec?.properties?.at(-1)?.type, 'STREAM');
  // A mapper that reports it all the same is not refused: it would say it again and again.
  const twins = [
    { propertyName: 'saveFrame', reported: { value: 'frame' } },
    { propertyName: 'count', reported: { value: '5' } },
  ];
  await manager.reportDeviceStatus({ deviceName: 'a', deviceNamespace: 'default', reportedDevice: { twins } });
  await manager.reportDeviceStatus({
    deviceName: 'a',
    deviceNamespace: 'default',
    reportedDevice: { twins: twins.slice(0, 1) },
  });
  assert.deepEqual(
    reports.map(({ property }) => property),
    ['count'],
  );

  const program = mapper({ http: { address: '127.0.0.1', port: 0 } });
  await run(program);
  await until('reports of the others', () => reports.some(({ reported }) => reported === '21.5'));
  const response = await fetch(`http://127.0.0.1:${program.port}/api/v1/device/default/a/saveFrame`);
  const { Data } = (await response.json()) as { Data: { Value: string; Type: string } };
  assert.deepEqual([Data.Value, Data.Type], ['rtsp://camera/1', 'stream']);
  assert.ok(reports.every(({ property }) => property !== 'saveFrame'));
});

test('a report that nobody can take is refused, with the words that KubeEdge has', async (t) => {
  const { directory, run, server } = await place(t);
  await run(server());
  const channel = openGrpcChannel({ socketPath: join(directory, 'dmi.sock') });
  t.after(() => channel.close());
  const manager = createDeviceManager(channel);
  const twins = [{ propertyName: 'x', reported: { value: '1' } }];
  await assert.rejects(manager.reportDeviceStatus({ deviceName: 'none', reportedDevice: { twins } }), /NOT_FOUND/);
  await assert.rejects(manager.reportDeviceStatus({ deviceName: 'none' }), /does not have twin data/);
  await assert.rejects(manager.mapperRegister({ mapper: { name: 'm' } }), /names no protocol/);
  const old = channel.call('/v1alpha1.DeviceManagerService/MapperRegister', new Uint8Array(0));
  await assert.rejects(old, /INVALID_ARGUMENT: mapper "" names no protocol/);
});

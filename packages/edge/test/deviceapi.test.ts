// The local API on a real unix socket, in front of a real DeviceTwin.
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { createLog, type LogRecord } from '@kedge/core/log';
import { milliseconds, seconds } from '@kedge/core/time';
import { createDeviceApi } from '@kedge/edge/deviceapi';
import { createHttpClient, createHttpServers, createRandom, systemClock } from '@kedge/platform/node';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { device, startEdgeDevices } from './eventbus-fixture.ts';

const name = { namespace: 'default', name: 'temp-1' };

async function place(t: TestContext, objects = [device('temp-1')]) {
  const socketPath = join(await temporaryDirectory(t), 'device.sock');
  const edge = await startEdgeDevices(t, { clock: systemClock, objects });
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => systemClock.now(), level: 'info', write: (record) => logged.push(record) });
  const alarms = { active: () => [{ name: 'too-hot' }] };
  const api = createDeviceApi(
    {
      clock: systemClock,
      log,
      random: createRandom(),
      servers: createHttpServers({ log }),
      devices: edge.twin,
      alarms,
    },
    { socketPath },
  );
  const scope = openScope({ clock: systemClock, name: 'api' });
  t.after(() => scope.close(seconds(3)));
  const until = async (sentence: string): Promise<void> => {
    while (!logged.some((record) => record.sentence === sentence)) await systemClock.sleep('log', milliseconds(5));
  };
  const client = createHttpClient({ socketPath });
  t.after(() => client.close());
  async function ask(path: string, method = 'GET') {
    const response = await client.request({ method, url: `http://edge${path}` });
    // oxlint-disable-next-line no-explicit-any -- a document to look into
    return { status: response.status, body: JSON.parse(await response.text()) as any };
  }
  return { ...edge, socketPath, start: () => api.start(scope), until, ask, logged };
}

describe('the local API for devices', () => {
  test('shows devices, values, alarms and history to the owner alone', async (t) => {
    const { ask, start, until, twin, socketPath } = await place(t);
    await start();
    await until('answering questions about devices');
    assert.equal((await stat(socketPath)).mode & 0o777, 0o600);
    const began = systemClock.now();
    await twin.report(name, [{ property: 'temperature', reported: '20', at: began - 60_000, duplicate: false }]);
    await twin.report(name, [{ property: 'temperature', reported: '21', at: began, duplicate: false }]);
    await twin.state(name, 'online');
    const { body: list } = await ask('/v1/devices');
    assert.deepEqual([list.devices[0].name, list.devices[0].state], ['temp-1', 'online']);
    const { body: one } = await ask('/v1/devices/default/temp-1');
    assert.deepEqual([one.twins.temperature.actual.value, one.alarms], ['21', [{ name: 'too-hot' }]]);
    const values = async (query: string): Promise<string[]> =>
      (await ask(`/v1/devices/default/temp-1/history${query}`)).body.history.temperature?.map(
        ({ value }: { value: string }) => value,
      );
    assert.deepEqual(await values(''), ['20', '21']);
    assert.deepEqual(await values('?last=30s'), ['21']);
    assert.deepEqual(await values(`?until=${began - 1}`), ['20']);
    assert.equal(await values('?property=other'), undefined);
    const statuses: [string, string, number][] = [
      ['GET', '/', 404],
      ['GET', '/v1/devices/default/other', 404],
      ['GET', '/v1/devices/default/temp-1/twins', 404],
      ['GET', '/v1/devices/default/temp-1/history?last=soon', 400],
      ['GET', '/v1/devices/default/temp-1/history?limit=x', 400],
      ['GET', '/v1/devices/default/temp-1/history?limit=0', 400],
      ['GET', '/v1/%ff', 404],
      ['PUT', '/v1/devices/default/temp-1', 405],
    ];
    for (const [method, path, status] of statuses) {
      const answer = await ask(path, method);
      assert.equal(answer.status, status, path);
      assert.equal(typeof answer.body.message, 'string');
    }
  });

  test('listens from the first device on, and takes away no socket that is in use', async (t) => {
    const { start, until, put, socketPath, logged } = await place(t, []);
    await start();
    await assert.rejects(stat(socketPath));
    const other = createServer().listen(socketPath);
    t.after(() => other.close());
    put(device('temp-1'));
    await until('the local API for devices does not listen');
    assert.match(String(logged.at(-1)?.fields['reason']), /another program listens there/);
    other.close();
    await until('answering questions about devices');
  });
});

// Devices of a real Go edgecore on our cloudcore, over a real MQTT broker: created, reported, changed, answered locally,
// away and back, deleted. Needs root, containerd, mosquitto, and PEERS naming a folder with edgecore-v1.22.2.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isStatus } from '@kedge/model/k8s';
import { type Device, deviceModels, devices, objectSyncs } from '@kedge/model/kubeedge';
import { freePort } from '@kedge/testing/free-port';
import {
  canRun,
  createGoEdge,
  eventually,
  isReady,
  type Later,
  scratch,
  startEmbeddedApi,
  startLiveCloud,
  withDevices,
} from './cloud-go-rig.ts';
import { api } from './cloud-rig.ts';

const version = 'v1.22.2';
const node = 'go-edge';
const mosquitto = '/usr/sbin/mosquitto';
const run = promisify(execFile);

async function startBroker(directory: string, later: Later) {
  const port = await freePort();
  const config = join(directory, 'mosquitto.conf');
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
  const broker: ChildProcess = spawn(mosquitto, ['-c', config], { stdio: 'ignore' });
  later(async () => void broker.kill('SIGKILL'));
  const at = ['-h', '127.0.0.1', '-p', String(port)];
  return {
    url: `tcp://127.0.0.1:${port}`,
    publish: (topic: string, document: object) =>
      run('mosquitto_pub', [...at, '-q', '1', '-t', topic, '-m', JSON.stringify(document)]),
    /** Publishes, and resolves with the first message on `answer`. */
    async ask(topic: string, document: object, answer: string): Promise<Record<string, unknown>> {
      const waiting = run('mosquitto_sub', [...at, '-q', '1', '-t', answer, '-C', '1', '-W', '15']);
      await new Promise((resolve) => setTimeout(resolve, 500));
      await run('mosquitto_pub', [...at, '-q', '1', '-t', topic, '-m', JSON.stringify(document)]);
      return JSON.parse((await waiting).stdout) as Record<string, unknown>;
    },
  };
}

const skip =
  canRun(version) && existsSync(mosquitto)
    ? false
    : `PEERS names no folder with edgecore-${version}, or this is not root, or there is no mosquitto`;

test(`devices of edgecore ${version} are ours, both ways`, { skip, timeout: 240_000 }, async (t) => {
  const { directory, later } = await scratch(t);
  const { kube } = await startEmbeddedApi({ directory, later });
  const more = {
    ...withDevices(directory),
    admission: {
      address: '127.0.0.1',
      port: 0,
      place: { by: 'url', url: 'https://127.0.0.1' } as const,
    },
  };
  const broker = await startBroker(directory, later);
  let cloud = await startLiveCloud(kube, join(directory, 'cloud.log'), undefined, {}, more);
  later(() => cloud.stop());
  const edge = await createGoEdge(later, { version, node, cloud, directory, mqtt: broker.url });
  edge.start();
  await eventually('node Ready', 90_000, async () => isReady(await kube.get(api('nodes'), { name: node })));

  const name = { namespace: 'default', name: 'thermo-1' };
  const topic = (rest: string): string => `$hw/events/device/default/thermo-1/${rest}`;
  const stored = async () => (await kube.get(devices, name)) as Device;
  const reported = async () =>
    (await stored()).status?.twins?.find(({ propertyName }) => propertyName === 'temperature')?.reported?.value;
  const acked = async (kind: string): Promise<string | undefined> =>
    (
      (await kube.list(objectSyncs)).items as readonly {
        spec?: { objectKind?: string };
        status?: { objectResourceVersion?: string };
      }[]
    ).find(({ spec }) => spec?.objectKind === kind)?.status?.objectResourceVersion;

  await t.test('S1: a model and a device reach the edge and are acknowledged', async () => {
    await kube.create(deviceModels, 'default', {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'DeviceModel',
      metadata: { name: 'thermo-model', namespace: 'default' },
      spec: {
        protocol: 'mqtt',
        properties: [
          { name: 'temperature', type: 'INT', accessMode: 'ReadOnly' },
          { name: 'switch', type: 'STRING', accessMode: 'ReadWrite' },
        ],
      },
    });
    await kube.create(devices, 'default', {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'Device',
      metadata: name,
      spec: {
        deviceModelRef: { name: 'thermo-model' },
        nodeName: node,
        protocol: { protocolName: 'mqtt', configData: {} },
        properties: [
          { name: 'temperature', reportToCloud: true },
          { name: 'switch', desired: { value: 'off' } },
        ],
      },
    });
    await eventually(
      'the edge has the device',
      30_000,
      async () => Number((await acked('Device')) ?? 0) > 0 || acked('Device'),
    );
    assert.ok(Number(await acked('DeviceModel')) > 0);
    await eventually('DeviceTwin knows the device', 20_000, async () => {
      const members = await broker.ask(
        `$hw/events/node/${node}/membership/get`,
        { event_id: 'm', timestamp: 0 },
        `$hw/events/node/${node}/membership/get/result`,
      );
      return JSON.stringify(members).includes('default/thermo-1') || members;
    });
  });

  await t.test('S3, S4: the first value that the device reports is shown', async () => {
    await broker.publish(topic('twin/update'), {
      event_id: 'u1',
      timestamp: 0,
      twin: { temperature: { actual: { value: '24' }, metadata: { type: 'int' } } },
    });
    await eventually('the value in the API', 20_000, async () => (await reported()) === '24' || reported());
    assert.equal((await stored()).status?.summary, 'temperature=24');
  });

  await t.test('its state is shown', async () => {
    await broker.publish(topic('state/update'), { event_id: 'st', timestamp: 0, state: 'online' });
    await eventually('the state in the API', 20_000, async () => {
      const { state } = (await stored()).status ?? {};
      return state === 'online' || state;
    });
  });

  await t.test('S5: a changed desired value reaches the edge', async () => {
    const before = Number(await acked('Device'));
    const properties = [
      { name: 'temperature', reportToCloud: true },
      { name: 'switch', desired: { value: 'on' } },
    ];
    await kube.patch(devices, name, 'merge', JSON.stringify({ spec: { properties } }));
    await eventually(
      'the edge has the new version',
      30_000,
      async () => Number(await acked('Device')) > before || acked('Device'),
    );
  });

  await t.test('S6: an application reads and sets twins at the edge, and the cloud sees what it set', async () => {
    const got = await broker.ask(topic('twin/get'), { event_id: 'q1', timestamp: 0 }, topic('twin/get/result'));
    assert.equal(got['event_id'], 'q1');
    await broker.publish(topic('twin/update'), {
      event_id: 's1',
      timestamp: 0,
      twin: { switch: { expected: { value: 'on' }, metadata: { type: 'string' } } },
    });
    await eventually('the observed desired value', 20_000, async () => {
      const { twins } = (await stored()).status ?? {};
      const seen = twins?.find(({ propertyName }) => propertyName === 'switch')?.observedDesired?.value;
      return seen === 'on' || twins;
    });
  });

  await t.test('S8: values that change while cloudcore is away end up newest', async () => {
    const { ports } = cloud;
    await cloud.stop();
    for (const value of ['25', '26']) {
      await broker.publish(topic('twin/update'), {
        event_id: `off-${value}`,
        timestamp: 0,
        twin: { temperature: { actual: { value } } },
      });
    }
    cloud = await startLiveCloud(kube, join(directory, 'cloud.log'), ports, {}, more);
    // A Go edge says it with the next report only.
    await eventually('a new value in the API', 90_000, async () => {
      await broker.publish(topic('twin/update'), {
        event_id: 'back',
        timestamp: 0,
        twin: { temperature: { actual: { value: '27' } } },
      });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return (await reported()) === '27' || reported();
    });
  });

  await t.test('S10: a deleted device leaves the edge, its model with it', async () => {
    await kube.delete(devices, name);
    await eventually('the edge has forgotten both', 30_000, async () => {
      const left = (await kube.list(objectSyncs)).items.filter((sync) =>
        ['Device', 'DeviceModel'].includes((sync as { spec?: { objectKind?: string } }).spec?.objectKind ?? ''),
      );
      return left.length === 0 || left.map(({ metadata }) => metadata.name);
    });
    await eventually('DeviceTwin has forgotten it', 20_000, async () => {
      const members = await broker.ask(
        `$hw/events/node/${node}/membership/get`,
        { event_id: 'm', timestamp: 0 },
        `$hw/events/node/${node}/membership/get/result`,
      );
      return !JSON.stringify(members).includes('thermo-1') || members;
    });
    await assert.rejects(stored(), (error) => isStatus(error, 'NotFound'));
  });
});

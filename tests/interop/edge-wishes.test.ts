// A desired value that an application sets at the edge reaches the device through its mapper while nobody can be asked, and
// gives way when the cloud asks for something else.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { createDeviceTwin } from '@kedge/edge/devicetwin';
import { createDmiServer } from '@kedge/edge/dmi';
import type { KubeObject } from '@kedge/model/k8s';
import { grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createRandom, systemClock } from '@kedge/platform/node';
import { device, model, place, until } from './dmi-rig.ts';

test('what an application wants reaches the device, survives edgecore, and gives way to the cloud', async (t) => {
  const { boxes, db, directory, mapper, run } = await place(t);
  boxes.set('a', [215, 7]);
  const objectOf = (desired: string) => ({ kind: 'Device', ...device('a', desired) }) as KubeObject;
  let stored = objectOf('20');
  let put: (object: KubeObject) => void = () => assert.fail('nobody listens');
  const objects = {
    list: (type: string) => (type === 'device' ? [stored] : [{ kind: 'DeviceModel', ...model } as KubeObject]),
    listen(type: string, listener: { onPut(object: KubeObject): void }) {
      if (type === 'device') put = (object) => listener.onPut((stored = object));
      return () => undefined;
    },
  };
  const common = { clock: systemClock, log: silentLog, random: createRandom(), db };
  async function edgecore() {
    const twin = createDeviceTwin({ ...common, objects });
    const dmi = createDmiServer(
      {
        ...common,
        metrics: createMetrics(),
        servers: grpcServers,
        openChannel: openGrpcChannel,
        devices: twin.devices,
        twins: twin,
      },
      { socketPath: join(directory, 'dmi.sock') },
    );
    const [stopTwin, stopDmi] = [await run(twin), await run(dmi)];
    return { twin, stop: async () => void (await stopDmi(), await stopTwin()) };
  }
  const name = { namespace: 'default', name: 'a' };
  const wish = (value: string) => [
    { property: 'temperature', observedDesired: value, isWish: true as const, duplicate: false },
  ];
  const { twin, stop } = await edgecore();
  await run(mapper());
  await until('20 of the cloud written', () => boxes.get('a')![0] === 200);
  await twin.report(name, wish('27'));
  await until('27 of the application written', () => boxes.get('a')![0] === 270);
  await until('the mapper says so', () => twin.twin(name, 'temperature')?.actual?.value === '27');
  // The cloud will see it as what the device has been told.
  for (;;) {
    const item = twin.outbox.take(() => false, true)!;
    await twin.outbox.settle(item, { ok: true, value: undefined });
    if (item.send.body.kind !== 'twin.report') continue;
    assert.equal(item.send.body.twins['temperature']?.expected?.value, '27');
    break;
  }
  // The same device again, as after a reconnection: nothing new is wanted.
  put(objectOf('20'));
  assert.equal(twin.devices.list()[0]?.spec?.properties?.[0]?.desired?.value, '27');
  await stop();

  boxes.get('a')![0] = 0;
  const later = await edgecore();
  assert.equal(later.twin.devices.list()[0]?.spec?.properties?.[0]?.desired?.value, '27');
  put(objectOf('22'));
  await until('22 of the cloud written', () => boxes.get('a')![0] === 220);
  put(objectOf('20'));
  await until('20 of the cloud again', () => boxes.get('a')![0] === 200);
  await later.stop();
});

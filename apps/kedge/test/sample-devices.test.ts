// The devices of a new site: that they fit their models, and where a site with other ports looks for them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeApi } from '@kedge/engine/kube-client';
import { checkDevice, checkDeviceModel, type Device, type DeviceModel } from '@kedge/model/kubeedge';
import { siteLayout, sitePorts } from '../src/site/layout.ts';
import { applySampleDevices, deviceProcesses, planMove } from '../src/site/sample-devices.ts';

const { signal } = new AbortController();

async function applied(base: number): Promise<{ models: DeviceModel[]; devices: Device[] }> {
  const models: DeviceModel[] = [];
  const devices: Device[] = [];
  const create: KubeApi['create'] = async ({ resource }, _, object) => {
    if (resource === 'devices') devices.push(object as Device);
    else models.push(object as DeviceModel);
    return object;
  };
  await applySampleDevices({ create } as KubeApi, 'edge-1', sitePorts(base), signal);
  return { models, devices };
}

describe('sample devices', () => {
  test('fit their models', async () => {
    const { models, devices } = await applied(10_000);
    assert.equal(devices.length, 2);
    for (const model of models) assert.deepEqual(checkDeviceModel(model), []);
    for (const device of devices) {
      const model = models.find(({ metadata }) => metadata.name === device.spec!.deviceModelRef!.name);
      assert.deepEqual(checkDevice(device, model), []);
    }
  });

  test('each have a process, and a mapper beside it', () => {
    const names = deviceProcesses(siteLayout('/srv/site'), sitePorts(10_000)).map(({ name }) => name);
    assert.deepEqual(names, ['simulated-thermostat', 'modbus-mapper', 'simulated-tank', 'opcua-mapper']);
  });

  test('follow the ports of the site, unless somebody made them theirs', async () => {
    const [before, after] = [await applied(10_000), await applied(20_000)];
    for (const [at, device] of before.devices.entries()) {
      const wanted = after.devices[at]!.spec!.protocol!.configData!;
      assert.equal(planMove(device, device.spec!.protocol!.configData), undefined);
      const move = planMove(device, wanted) as { spec: { protocol: { configData: Record<string, unknown> } } };
      assert.deepEqual({ ...device.spec!.protocol!.configData, ...move.spec.protocol.configData }, wanted);
      assert.equal(planMove(undefined, wanted), undefined);
      assert.equal(planMove({ ...device, metadata: { name: 'mine' } }, wanted), undefined);
      const elsewhere = { ip: '10.0.0.5', port: 502, url: 'opc.tcp://10.0.0.5:4840' };
      assert.equal(planMove({ ...device, spec: { protocol: { configData: elsewhere } } }, wanted), undefined);
    }
  });
});

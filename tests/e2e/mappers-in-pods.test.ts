// Devices without anything of kedge but what a node has: they are searched for by a pod, over each protocol that can be searched,
// and their mapper is a DaemonSet of the image that this repository builds.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { sitePorts } from '../../apps/kedge/src/site/layout.ts';
import { hasMosquitto, startMosquitto } from '@kedge/testing/mosquitto';
import { tracesOf } from './harness/host-traces.ts';
import { eventually, kedgeProgram, must } from './harness/run.ts';
import { createTestSite, type TestSite } from './harness/site.ts';

interface Device {
  metadata: { name: string };
  status?: { state?: string; twins?: { propertyName: string; reported?: { value: string } }[] };
}

describe('mappers in pods', () => {
  let site: TestSite;
  let simulated: ChildProcess;
  let port: number;
  let tankPort: number;

  const discover = (...words: string[]) =>
    site.kedge(
      ...['device', 'discover', ...words],
      ...['--node', site.node, '--data', site.data, '--kubeconfig', `${site.data}/kubeconfig`],
    );
  const kindsOf = (yaml: string): string[] =>
    parseAllDocuments(yaml).flatMap((document) => (document.toJS() as { kind?: string } | null)?.kind ?? []);
  const podsOfSearches = () => site.kubectl('get', 'pods', '-l', 'app.kubernetes.io/name=kedge-discover', '-o', 'name');

  before(async () => {
    site = await createTestSite('mapperpods');
    const { code, stdout, stderr } = await site.up();
    assert.equal(code, 0, `${stdout}${stderr}${await site.logs()}`);
    ({ thermostat: port, tank: tankPort } = sitePorts(site.portBase));
    const ports = ['--thermostat', String(port), '--tank', String(tankPort)];
    const args = ['device', 'simulate', '--data', site.data, ...ports];
    const child = spawn(kedgeProgram, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    simulated = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    // The tank makes its keys first, which takes seconds.
    const loaded = await site.kedge('image', 'load', '--data', site.data);
    assert.equal(loaded.code, 0, loaded.stderr);
    await eventually('the simulated devices', async () => said.includes('"daemon ready"'));
  });

  after(async () => {
    const ended = once(simulated, 'exit');
    simulated.kill('SIGTERM');
    await ended;
    await site.remove();
    assert.deepEqual(await tracesOf(...site.marks), []);
  });

  it('find a device from the node, and propose what can be applied', async () => {
    const where = [`ports=${port - 1}-${port + 1}`, 'registers=0-3', 'rate=200'];
    const { code, stdout, stderr } = await discover('modbus', ...where);
    assert.equal(code, 0, stderr);
    assert.deepEqual(kindsOf(stdout), ['DeviceModel', 'Device']);
    assert.match(stdout, /kedge thermostat 1\.0 at 127\.0\.0\.1/);
    await site.kubectl.apply(stdout);
    assert.equal(await podsOfSearches(), '');
  });

  it('find an OPC UA server and what announces itself over MQTT, too', { skip: !hasMosquitto }, async (t) => {
    const broker = await startMosquitto(t);
    const announced = {
      name: 'Temperature',
      stat_t: 'hall/state',
      val_tpl: '{{ value_json.t }}',
      unit_of_meas: '°C',
      dev: { name: 'Hall sensor', ids: 'h1' },
    };
    const topic = 'homeassistant/sensor/hall/t/config';
    const to = ['-h', '127.0.0.1', '-p', String(broker.port), '-r', '-q', '1', '-t', topic];
    await must('mosquitto_pub', [...to, '-m', JSON.stringify(announced)]);
    const [tank, hall] = await Promise.all([
      discover('opcua', `url=opc.tcp://127.0.0.1:${tankPort}`, 'securityPolicy=Basic256Sha256', 'trustOnFirstUse=true'),
      discover('mqtt', `brokerURL=tcp://127.0.0.1:${broker.port}`, 'for=2'),
    ]);
    for (const { code, stdout, stderr } of [tank, hall]) {
      assert.equal(code, 0, stderr);
      assert.deepEqual(kindsOf(stdout), ['DeviceModel', 'Device']);
    }
    assert.match(tank.stdout, /nodeID: ns=1;s=Level\n/);
    assert.match(hall.stdout, /topic: hall\/state\n/);
    assert.equal(await podsOfSearches(), '');
  });

  it('read it from a DaemonSet on nodes with the label', async () => {
    const { code, stdout, stderr } = await site.kedge('image', 'manifest', 'modbus', '--data', site.data);
    assert.equal(code, 0, stderr);
    await site.kubectl.apply(stdout);
    const status = await site.kubectl(
      'get',
      'daemonset',
      'modbus-mapper',
      '-o',
      'jsonpath={.status.desiredNumberScheduled}',
    );
    assert.notEqual(status, '1', 'no node has the label yet');
    await site.kubectl('label', 'node', site.node, 'mapper.kedge.io/modbus=true');
    const value = await eventually('a value', async () => {
      const { items } = await site.kubectl.json<{ items: Device[] }>('get', 'devices');
      const twins = items[0]?.status?.twins ?? [];
      return twins.find(({ propertyName }) => propertyName === 'input-0')?.reported?.value;
    }).catch(async (error: unknown) => {
      const pods = await site.kubectl.try('describe', 'pods', '-l', 'app.kubernetes.io/name=modbus-mapper');
      throw new Error(`${String(error)}\n${pods.stdout}\n${await site.logs()}`, { cause: error });
    });
    assert.ok(Number(value) > 150 && Number(value) < 250, value);
    await site.kubectl('rollout', 'status', 'daemonset/modbus-mapper', '--timeout=30s');
  });
});

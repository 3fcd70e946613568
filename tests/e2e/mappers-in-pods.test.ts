// Devices without anything of kedge but what a node has: they are searched for by a pod, and their mapper is a DaemonSet of the
// image that this repository builds.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { sitePorts } from '../../apps/kedge/src/site/layout.ts';
import { tracesOf } from './harness/host-traces.ts';
import { eventually, kedgeProgram } from './harness/run.ts';
import { createTestSite, type TestSite } from './harness/site.ts';

interface Device {
  metadata: { name: string };
  status?: { state?: string; twins?: { propertyName: string; reported?: { value: string } }[] };
}

describe('mappers in pods', () => {
  let site: TestSite;
  let thermostat: ChildProcess;
  let port: number;

  before(async () => {
    site = await createTestSite('mapperpods');
    const { code, stdout, stderr } = await site.up();
    assert.equal(code, 0, `${stdout}${stderr}${await site.logs()}`);
    port = sitePorts(site.portBase).thermostat;
    const args = ['device', 'simulate', '--data', site.data, '--thermostat', String(port)];
    thermostat = spawn(kedgeProgram, args, { stdio: 'ignore' });
    const loaded = await site.kedge('image', 'load', '--data', site.data);
    assert.equal(loaded.code, 0, loaded.stderr);
  });

  after(async () => {
    const ended = once(thermostat, 'exit');
    thermostat.kill('SIGTERM');
    await ended;
    await site.remove();
    assert.deepEqual(await tracesOf(...site.marks), []);
  });

  it('find a device from the node, and propose what can be applied', async () => {
    const where = [`ports=${port - 1}-${port + 1}`, 'registers=0-3', 'rate=200'];
    const from = ['--node', site.node, '--data', site.data, '--kubeconfig', `${site.data}/kubeconfig`];
    const { code, stdout, stderr } = await site.kedge('device', 'discover', 'modbus', ...where, ...from);
    assert.equal(code, 0, stderr);
    const kinds = parseAllDocuments(stdout).map((document) => (document.toJS() as { kind: string } | null)?.kind);
    assert.deepEqual(
      kinds.filter((kind) => kind !== undefined),
      ['DeviceModel', 'Device'],
    );
    assert.match(stdout, /kedge thermostat 1\.0 at 127\.0\.0\.1/);
    await site.kubectl.apply(stdout);
    assert.equal(await site.kubectl('get', 'pods', '-l', 'app.kubernetes.io/name=kedge-discover', '-o', 'name'), '');
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

// A device from one end to the other: kubectl, cloudcore, edgecore, a mapper as `kedge mapper new` makes it, and a box
// behind it. Then each of them goes away and comes back.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createMapperProcess, type LineDevice, type MapperProcess, startLineDevice } from './harness/devices.ts';
import { tracesOf } from './harness/host-traces.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';

const thermostat = (node: string, port: number): string => `
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: { name: thermostat, namespace: default }
spec:
  protocol: thermostat
  properties:
    - { name: temperature, type: FLOAT, accessMode: ReadOnly, unit: Celsius }
    - { name: target, type: INT, accessMode: ReadWrite, minimum: "0", maximum: "100" }
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: { name: hall, namespace: default }
spec:
  deviceModelRef: { name: thermostat }
  nodeName: ${node}
  protocol: { protocolName: thermostat, configData: { host: 127.0.0.1, port: ${port} } }
  properties:
    - name: temperature
      collectCycle: 200
      reportToCloud: true
      visitors: { protocolName: thermostat, configData: { name: temp } }
    - name: target
      collectCycle: 200
      reportToCloud: true
      desired: { value: "20" }
      visitors: { protocolName: thermostat, configData: { name: target } }
  methods:
    - { name: setTarget, description: what the hall is to be heated to, propertyNames: [target] }
`;

interface Hall {
  status?: {
    state?: string;
    twins?: { propertyName: string; reported?: { value: string }; observedDesired?: { value: string } }[];
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
}

describe('a device', () => {
  const values = new Map([
    ['temp', '19.5'],
    ['target', '0'],
  ]);
  let reads = 0;
  let parts: Parts;
  let box: LineDevice;
  let mapper: MapperProcess;

  const hall = (): Promise<Hall> => parts.kubectl.json<Hall>('get', 'device', 'hall');
  const reported = async (property: string): Promise<string | undefined> =>
    (await hall()).status?.twins?.find(({ propertyName }) => propertyName === property)?.reported?.value;
  const setDesired = (value: string): Promise<string> => {
    const patch = [{ op: 'replace', path: '/spec/properties/1/desired/value', value }];
    return parts.kubectl('patch', 'device', 'hall', '--type=json', '-p', JSON.stringify(patch));
  };
  /** With the logs of everybody when it never happens. */
  const waitFor = (what: string, look: () => Promise<boolean>, limitMs = 30_000): Promise<unknown> =>
    eventually(what, look, limitMs).catch(async (error: unknown) => {
      const { stdout } = await parts.kubectl.try('get', 'devices', '-o', 'yaml');
      throw new Error(`${String(error)}\n${stdout}\n${parts.logs()}\n--- mapper\n${mapper.log()}`, { cause: error });
    });

  before(async () => {
    parts = await createParts('device');
    box = await startLineDevice({
      get: (name) => ((reads += 1), values.get(name) ?? 'error unknown'),
      set: (name, value) => void values.set(name, value),
    });
    await parts.startAll();
    mapper = await createMapperProcess(parts, 'thermostat');
    mapper.start();
    await parts.kubectl.apply(thermostat(parts.node, box.port));
  });

  after(async () => {
    await mapper.end('SIGTERM');
    await box.close();
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  it('is shown with its node, protocol, state and values', { timeout: 60_000 }, async () => {
    await waitFor(
      'value and state',
      async () => (await reported('temperature')) === '19.5' && (await hall()).status?.state === 'online',
    );
    const [head, line] = (await parts.kubectl('get', 'devices')).split('\n');
    assert.match(head!, /^NAME +NODE +PROTOCOL +STATE +VALUES +LAST-SEEN +AGE/);
    assert.match(line!, new RegExp(`^hall +${parts.node} +thermostat +online .*19\\.5`));
  });

  it('is given what is desired, and says so', { timeout: 60_000 }, async () => {
    await waitFor('the first desired value', async () => values.get('target') === '20');
    await setDesired('42');
    await waitFor('the device to have it', async () => values.get('target') === '42');
    await waitFor('the cloud to know', async () => {
      const target = (await hall()).status?.twins?.find(({ propertyName }) => propertyName === 'target');
      return target?.reported?.value === '42' && target.observedDesired?.value === '42';
    });
  });

  it('has methods, which are called where its mapper is; what they do is reported', { timeout: 60_000 }, async () => {
    const call = async (path: string): Promise<{ status: number; text: string }> => {
      const response = await fetch(`http://127.0.0.1:${mapper.port}/api/v1/devicemethod/default/hall${path}`);
      return { status: response.status, text: await response.text() };
    };
    const listed = JSON.parse((await call('')).text) as { Data: { Methods: unknown[] } };
    assert.deepEqual(listed.Data.Methods, [
      {
        Name: 'setTarget',
        Path: '/api/v1/devicemethod/default/hall/setTarget/{propertyName}/{data}',
        Parameters: [{ PropertyName: 'target', ValueType: 'int' }],
      },
    ]);
    assert.equal((await call('/setTarget/target/55')).status, 200);
    assert.equal(values.get('target'), '55');
    await waitFor('the cloud to know', async () => (await reported('target')) === '55');
    for (const path of ['/setTarget/target/155', '/setTarget/temperature/5', '/other/target/5']) {
      assert.equal((await call(path)).status, 500, path);
    }
    assert.equal(values.get('target'), '55');
    // What the cloud wants is as it was; the next wish is carried out as ever.
    await setDesired('41');
    await waitFor('the device to have it', async () => values.get('target') === '41');
  });

  it('goes on reporting to an edgecore that was killed, without connecting anew', { timeout: 60_000 }, async () => {
    const { connections } = box;
    await parts.end('edgecore', 'SIGKILL');
    values.set('temp', '20.5');
    await parts.start('edgecore');
    await waitFor('the value', async () => (await reported('temperature')) === '20.5');
    assert.equal(box.connections, connections);
    await setDesired('43');
    await waitFor('a desired value to go the whole way again', async () => values.get('target') === '43');
  });

  it('is read while cloudcore is away, and its newest value is there afterwards', { timeout: 60_000 }, async () => {
    await parts.end('cloudcore', 'SIGKILL');
    values.set('temp', '21.5');
    const before_ = reads;
    await waitFor('more readings', async () => reads > before_ + 10);
    values.set('temp', '22.5');
    await setDesired('44');
    await parts.start('cloudcore');
    await waitFor('the newest value', async () => (await reported('temperature')) === '22.5');
    await waitFor('what was desired meanwhile', async () => values.get('target') === '44');
  });

  it('is offline when its mapper was killed, and back with the next one', { timeout: 90_000 }, async () => {
    await mapper.end('SIGKILL');
    await waitFor('the device to be offline', async () => {
      const { state, conditions = [] } = (await hall()).status ?? {};
      return state === 'offline' && conditions.some(({ type, status }) => type === 'MapperReady' && status === 'False');
    });
    values.set('temp', '23.5');
    mapper.start();
    await waitFor('the device to be back', async () => {
      const { state, conditions = [] } = (await hall()).status ?? {};
      const isReady = conditions.some(({ type, status }) => type === 'MapperReady' && status === 'True');
      return state === 'online' && isReady && (await reported('temperature')) === '23.5';
    });
  });
});

// The devices of a new site, as a newcomer meets them: values by themselves, a desired one that reaches the device, methods, and
// nothing left behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { freePort } from '@kedge/testing/free-port';
import { hasMosquitto } from '@kedge/testing/mosquitto';
import { siteLayout, sitePorts } from '../../apps/kedge/src/site/layout.ts';
import { tracesOf } from './harness/host-traces.ts';
import { httpGet } from './harness/http-get.ts';
import { eventually, kedgeProgram, run } from './harness/run.ts';
import { createTestSite, type TestSite } from './harness/site.ts';

interface Device {
  status?: {
    state?: string;
    conditions?: { type: string; status: string }[];
    twins?: { propertyName: string; reported?: { value: string }; observedDesired?: { value: string } }[];
  };
}

describe('the devices of a new site', () => {
  let site: TestSite;

  const reported = async (property: string, device = 'thermostat'): Promise<string | undefined> => {
    const { status } = await site.kubectl.json<Device>('get', 'device', device);
    return status?.twins?.find(({ propertyName }) => propertyName === property)?.reported?.value;
  };
  const eventuallyReported = async (
    property: string,
    wanted: (value: string) => boolean,
    device = 'thermostat',
  ): Promise<string> => {
    let last: string | undefined;
    try {
      return await eventually(`${property} as it has to be`, async () => {
        last = await reported(property, device);
        return last !== undefined && wanted(last) ? last : undefined;
      });
    } catch (error) {
      throw new Error(`${String(error)}; it is ${last}\n${await site.logs()}`, { cause: error });
    }
  };

  before(async () => {
    site = await createTestSite('sampledevices', { devices: true });
    const { code, stdout, stderr } = await site.up();
    assert.equal(code, 0, `${stdout}${stderr}${await site.logs()}`);
  });

  after(async () => {
    await site.remove();
    assert.deepEqual(await tracesOf(...site.marks), []);
  });

  it('report values without anything having been done', async () => {
    await eventuallyReported('temperature', (value) => Number(value) > 10);
    await eventuallyReported('level', (value) => Number(value) > 30, 'tank');
    const lines = (await site.kubectl('get', 'devices')).trimEnd().split('\n');
    assert.match(lines[0]!, /^NAME +NODE +PROTOCOL +STATE +VALUES +LAST-SEEN +AGE$/);
    assert.match(
      lines[1]!,
      new RegExp(`^tank +${site.node} +opcua +online +level=[0-9.]+ flow=60 speed=50 pump=true `),
    );
    assert.match(
      lines[2]!,
      new RegExp(`^thermostat +${site.node} +modbus +online +temperature=[0-9.]+ target=21 heating=true enabled=true `),
    );
  });

  it('follow what is desired', async () => {
    const before_ = Number(await reported('temperature'));
    const patch = [{ op: 'replace', path: '/spec/properties/1/desired/value', value: '29.5' }];
    await site.kubectl('patch', 'device', 'thermostat', '--type=json', '-p', JSON.stringify(patch));
    await eventuallyReported('target', (value) => value === '29.5');
    await eventuallyReported('temperature', (value) => Number(value) > before_ + 0.5);
    const faster = [{ op: 'replace', path: '/spec/properties/2/desired/value', value: '80' }];
    await site.kubectl('patch', 'device', 'tank', '--type=json', '-p', JSON.stringify(faster));
    await eventuallyReported('flow', (value) => value === '96', 'tank');
    const refused = await site.kubectl.try(
      ...['patch', 'device', 'thermostat', '--type=json', '-p', JSON.stringify([{ ...patch[0], value: '99' }])],
    );
    assert.match(refused.stderr, /spec\.properties\[1\].*30/);
  });

  it(
    'are there for MQTT applications with the password of the site, and have a history',
    { skip: !hasMosquitto },
    async () => {
      const layout = siteLayout(site.data);
      const password = (await readFile(layout.edge.mqttPassword, 'utf8')).trim();
      const port = String(sitePorts(site.portBase).mqtt);
      const access = ['-h', '127.0.0.1', '-p', port, '-u', 'kedge', '-P', password];
      const topic = '$hw/events/device/default/thermostat/twin/update';
      const wish = JSON.stringify({ event_id: 'e2e', twin: { target: { expected: { value: '24.5' } } } });
      await run('mosquitto_pub', [...access, '-q', '1', '-t', topic, '-m', wish]);
      // Through the mapper to the device and back, and on to the cloud.
      await eventuallyReported('target', (value) => value === '24.5');
      const { stdout } = await run('mosquitto_sub', [...access, '-t', `${topic}/document`, '-C', '1', '-W', '20']);
      assert.match(stdout, /"current":\{/);
      const stranger = await run('mosquitto_pub', ['-h', '127.0.0.1', '-p', port, '-t', topic, '-m', wish]);
      assert.notEqual(stranger.code, 0);
      const { stdout: history } = await site.kedge(
        'device',
        'history',
        'thermostat',
        '--property',
        'target',
        '--data',
        site.data,
      );
      assert.match(history, / target +24\.5\n/);
    },
  );

  it('raise alarms by the rules of their model: an Event and a condition', async () => {
    const rules = [{ name: 'warm', property: 'target', operator: '>', threshold: 26, hysteresis: 0.5 }];
    const annotation = 'devices.kedge.io/rules';
    const wrong = JSON.stringify([{ ...rules[0], property: 'nothing' }]);
    const refused = await site.kubectl.try('annotate', 'devicemodel', 'thermostat', `${annotation}=${wrong}`);
    assert.match(refused.stderr, /\[0\]\.property: is "nothing", needs one of the model's: "temperature", "target"/);
    await site.kubectl('annotate', 'devicemodel', 'thermostat', `${annotation}=${JSON.stringify(rules)}`);
    const set = (value: string) =>
      site.kubectl(
        ...['patch', 'device', 'thermostat', '--type=json', '-p'],
        JSON.stringify([{ op: 'replace', path: '/spec/properties/1/desired/value', value }]),
      );
    const alarmed = (reason: string, status: string) =>
      eventually(`${reason}, and the condition ${status}`, async () => {
        const events = await site.kubectl('get', 'events', '--field-selector', `reason=${reason}`);
        const { status: of } = await site.kubectl.json<Device>('get', 'device', 'thermostat');
        const condition = of?.conditions?.find(({ type }) => type === 'Alarm');
        return events.includes('device/thermostat') && condition?.status === status ? true : undefined;
      });
    await set('27');
    await alarmed('AlarmRaised', 'True');
    await set('20');
    await alarmed('AlarmCleared', 'False');
  });

  it('have methods', async () => {
    const { modbusMapper } = sitePorts(site.portBase);
    const methods = `http://127.0.0.1:${modbusMapper}/api/v1/devicemethod/default/thermostat`;
    assert.match(await httpGet(methods), /"Name":"setTarget"/);
    assert.match(await httpGet(`${methods}/switch/enabled/false`), /"statusCode":200/);
    await eventuallyReported('enabled', (value) => value === 'false');
    await eventuallyReported('heating', (value) => value === 'false');
  });

  it('have methods that are called from the cloud, over Modbus and OPC UA, and are read', async () => {
    const there = ['--data', site.data, '--kubeconfig', `${site.data}/kubeconfig`];
    const ask = (...words: string[]) => site.kedge('device', ...words, ...there);
    const methods = await ask('call', 'thermostat');
    assert.match(methods.stdout, /^METHOD +PROPERTIES\nsetTarget +target\nswitch +enabled\n$/);
    const wrong = await ask('call', 'thermostat', 'switch', 'target', '1');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /method "switch" does not take "target": it has enabled/);
    // The first one puts the image on the node.
    const called = await ask('call', 'thermostat', 'switch', 'enabled', 'true');
    assert.equal(called.code, 0, called.stderr);
    assert.match(called.stdout, /^method "switch" of device default\/thermostat was called\n$/);
    const [pump, target, refused] = await Promise.all([
      ask('call', 'tank', 'switch', 'pump', 'false', '-o', 'json'),
      ask('read', 'thermostat', 'target'),
      ask('call', 'thermostat', 'setTarget', 'target', '99'),
    ]);
    assert.equal(pump.code, 0, pump.stderr);
    assert.equal((JSON.parse(pump.stdout) as { device: string }).device, 'default/tank');
    assert.equal(target.code, 0, target.stderr);
    assert.ok(Number(target.stdout) >= 5 && Number(target.stdout) <= 30, target.stdout);
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(refused.stderr, /the mapper says: .*30/);
    await eventuallyReported('enabled', (value) => value === 'true');
    await eventuallyReported('pump', (value) => value === 'false', 'tank');
  });

  it('and one whose mapper speaks HTTPS alone, to those it knows', async (t) => {
    const ids = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
    const authority = await createCertificateAuthorities().createAuthority({
      ...ids,
      subject: { commonName: 'plant', organizations: [] },
    });
    const issue = (commonName: string, usage: 'serverAuth' | 'clientAuth') =>
      authority.issueWithKey({
        ...ids,
        subject: { commonName, organizations: [] },
        usages: [usage],
        dnsNames: [commonName],
      });
    const [server, client] = [await issue('edge-1.plant', 'serverAuth'), await issue('operator', 'clientAuth')];
    const folder = join(site.data, 'https');
    await mkdir(folder);
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    const [ca, cert, key] = [
      await file('ca.crt', authority.certificatePem),
      await file('client.crt', client.certificatePem),
      await file('client.key', client.key.reveal()),
    ];
    const port = await freePort();
    const config = {
      grpc_server: { socket_path: join(folder, 'mapper.sock') },
      common: {
        edgecore_sock: siteLayout(site.data).edge.dmiSocket,
        data_dir: folder,
        http_port: String(port),
        http_cert_file: await file('server.crt', server.certificatePem),
        http_key_file: await file('server.key', server.key.reveal()),
        http_ca_cert_file: ca,
      },
    };
    const configFile = await file('mapper.json', JSON.stringify(config));
    const mapper = spawn(kedgeProgram, ['mapper', 'virtual', '--config-file', configFile], { stdio: 'ignore' });
    t.after(async () => {
      const ended = once(mapper, 'exit');
      mapper.kill('SIGTERM');
      await ended;
    });
    const virtual = { protocolName: 'virtualProtocol', configData: { generator: 'memory', initial: '3' } };
    const objects = [
      {
        apiVersion: 'devices.kubeedge.io/v1beta1',
        kind: 'DeviceModel',
        metadata: { name: 'cell' },
        spec: { protocol: 'virtualProtocol', properties: [{ name: 'level', type: 'INT', accessMode: 'ReadWrite' }] },
      },
      {
        apiVersion: 'devices.kubeedge.io/v1beta1',
        kind: 'Device',
        metadata: { name: 'cell' },
        spec: {
          deviceModelRef: { name: 'cell' },
          nodeName: site.node,
          protocol: { protocolName: 'virtualProtocol', configData: {} },
          methods: [{ name: 'fill', propertyNames: ['level'] }],
          properties: [{ name: 'level', reportToCloud: true, collectCycle: 200, visitors: virtual }],
        },
      },
    ];
    await site.kubectl.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    await eventuallyReported('level', (value) => value === '3', 'cell');
    const there = ['--data', site.data, '--kubeconfig', `${site.data}/kubeconfig`, '--port', String(port)];
    const https = ['--ca', ca, '--server-name', 'edge-1.plant'];
    const known = ['--client-cert', cert, '--client-key', key];
    const called = await site.kedge('device', 'call', 'cell', 'fill', 'level', '8', ...there, ...https, ...known);
    assert.equal(called.code, 0, called.stderr);
    await eventuallyReported('level', (value) => value === '8', 'cell');
    const [stranger, plain] = await Promise.all([
      site.kedge('device', 'call', 'cell', 'fill', 'level', '9', ...there, ...https),
      site.kedge('device', 'read', 'cell', 'level', ...there),
    ]);
    assert.equal(stranger.code, 1, stranger.stdout);
    assert.equal(plain.code, 1, plain.stdout);
    assert.match(plain.stderr, /one with HTTPS needs --ca/);
    const here = await run(kedgeProgram, [
      'device',
      'read',
      'cell',
      'level',
      '--here',
      '--port',
      String(port),
      ...https,
      ...known,
    ]);
    assert.equal(here.stdout, '8\n', here.stderr);
    await site.kubectl('delete', 'device', 'cell');
    await site.kubectl('delete', 'devicemodel', 'cell');
  });

  it('leave no pod behind when a call is given up', async () => {
    const there = ['--data', site.data, '--kubeconfig', `${site.data}/kubeconfig`];
    const child = spawn(kedgeProgram, ['device', 'call', 'thermostat', 'switch', 'enabled', 'true', ...there]);
    const ended = once(child, 'exit');
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('in pod default/kedge-device-call-')) child.kill('SIGINT');
    });
    const [code] = (await ended) as [number | null];
    assert.notEqual(code, 0);
    assert.match(said, /in pod default\/kedge-device-call-/);
    const pods = ['get', 'pods', '-l', 'app.kubernetes.io/name in (kedge-device-call,kedge-device-read)', '-o', 'name'];
    await eventually('no pod', async () => (await site.kubectl(...pods)) === '');
  });

  it('are not argued about: what was deleted stays deleted, and down leaves nothing', async () => {
    await site.kubectl('delete', 'device', 'thermostat', 'tank');
    const down = await site.down();
    assert.equal(down.code, 0, down.stderr);
    assert.deepEqual(await tracesOf(...site.marks), []);
    const again = await site.up();
    assert.equal(again.code, 0, `${again.stderr}${await site.logs()}`);
    assert.equal(await site.kubectl('get', 'devices', '-o', 'name'), '');
    assert.match(await site.kubectl('get', 'devicemodels', '-o', 'name'), /thermostat/);
  });
});

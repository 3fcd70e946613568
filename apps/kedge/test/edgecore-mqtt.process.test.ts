// The built edgecore, alone and offline, with the broker inside, and mosquitto's clients as its applications: user, TLS,
// twins, rules' topics, history, alarms, a kill, and the user's command.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { silentLog } from '@kedge/core/log';
import { milliseconds } from '@kedge/core/time';
import { createMetaManager, edgeMigrations } from '@kedge/edge/metamanager';
import { type KubeObject, nodeName, resourceVersion } from '@kedge/model/k8s';
import { messageId } from '@kedge/model/messages';
import { createRandom, systemClock } from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { freePort } from '@kedge/testing/free-port';
import { connect } from 'mqtt';
import { stringify } from 'yaml';

const root = new URL('../../../', import.meta.url).pathname;
const run = promisify(execFile);
const clients = ['/usr/bin/mosquitto_pub', '/usr/bin/mosquitto_sub'];
const hasClients = clients.every((path) => {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
});

const rules = [{ name: 'too-hot', property: 'temperature', operator: '>', threshold: 30, hysteresis: 1 }];
const model: KubeObject = {
  apiVersion: 'devices.kubeedge.io/v1beta1',
  kind: 'DeviceModel',
  metadata: {
    name: 'm',
    namespace: 'default',
    uid: 'uid-m',
    resourceVersion: '1',
    annotations: { 'devices.kedge.io/rules': JSON.stringify(rules) },
  },
  spec: { properties: [{ name: 'temperature', type: 'FLOAT', accessMode: 'ReadWrite' }] },
};
const device: KubeObject = {
  apiVersion: 'devices.kubeedge.io/v1beta1',
  kind: 'Device',
  metadata: { name: 'thermo', namespace: 'default', uid: 'uid-thermo', resourceVersion: '2' },
  spec: { deviceModelRef: { name: 'm' }, nodeName: 'edge-1', properties: [{ name: 'temperature' }] },
};

/** What a cloud has sent before it went away. */
async function fillDatabase(path: string): Promise<void> {
  const db = openDatabase({ path, migrations: edgeMigrations, durability: 'normal' });
  const node = nodeName('edge-1');
  const { handlers } = createMetaManager({ db, clock: systemClock, log: silentLog, random: createRandom(), node });
  for (const [type, object] of [['devicemodel', model] as const, ['device', device] as const]) {
    await handlers['object.put']({
      kind: 'object.put',
      id: messageId('m'),
      at: 0,
      ref: { type, namespace: 'default', name: object.metadata.name! },
      version: resourceVersion(object.metadata.resourceVersion!),
      object,
      owner: 'devicecontroller',
      change: 'insert',
    });
  }
  await db.close();
}

async function place(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const at = (...names: string[]): string => join(directory, ...names);
  const authorities = createCertificateAuthorities();
  const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
  const authority = await authorities.createAuthority({
    subject: { commonName: 'CA', organizations: [] },
    ...validity,
  });
  const own = await authority.issueWithKey({
    ...validity,
    subject: { commonName: 'system:node:edge-1', organizations: ['system:nodes'] },
    usages: ['clientAuth', 'serverAuth'],
    addresses: ['127.0.0.1'],
  });
  await writeFile(at('ca.crt'), authority.certificatePem);
  await writeFile(at('edge.crt'), own.certificatePem);
  await writeFile(at('edge.key'), own.key.reveal(), { mode: 0o600 });
  await mkdir(at('kubelet'));
  await fillDatabase(at('edge.db'));
  const port = await freePort();
  const config = {
    apiVersion: 'edgecore.config.kubeedge.io/v1alpha2',
    kind: 'EdgeCore',
    database: { dataSource: at('edge.db') },
    modules: {
      edgeHub: {
        httpServer: 'https://127.0.0.1:1',
        tlsCaFile: at('ca.crt'),
        tlsCertFile: at('edge.crt'),
        tlsPrivateKeyFile: at('edge.key'),
        websocket: { enable: true, server: '127.0.0.1:1' },
      },
      edged: {
        hostnameOverride: 'edge-1',
        rootDirectory: at('kubelet'),
        tailoredKubeletConfig: {
          containerRuntimeEndpoint: `unix://${at('no-runtime.sock')}`,
          cgroupRoot: '/kedge-mqtt-test',
          cgroupDriver: 'cgroupfs',
          podLogsDir: at('pod-logs'),
        },
      },
      deviceTwin: { dmiSockPath: at('dmi.sock') },
      eventBus: {
        enable: true,
        mqttMode: 0,
        mqttServerInternal: `ssl://127.0.0.1:${port}`,
        internalBroker: {
          username: 'app',
          password: 'right',
          tlsCertFile: at('edge.crt'),
          tlsPrivateKeyFile: at('edge.key'),
        },
      },
    },
  };
  await writeFile(at('edgecore.yaml'), stringify(config));
  let output = '';
  let child: ChildProcess | undefined;
  async function stop(signal: NodeJS.Signals): Promise<void> {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    await ended;
  }
  async function start(): Promise<void> {
    output = '';
    const started = spawn(process.execPath, [join(root, 'dist/edgecore.cjs'), '--config', at('edgecore.yaml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    for (const stream of [started.stdout!, started.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    await until('the edge to be connected to its broker', () => output.includes('connected to the MQTT broker'));
  }
  t.after(() => stop('SIGKILL'));
  async function until(what: string, isSo: () => boolean): Promise<void> {
    for (let n = 0; n < 1_500; n += 1) {
      if (isSo()) return;
      if (child && child.exitCode !== null) break;
      await systemClock.sleep(what, milliseconds(20));
    }
    assert.fail(`never: ${what}\n${output}`);
  }
  const access = ['-h', '127.0.0.1', '-p', String(port), '--cafile', at('ca.crt'), '-u', 'app', '-P', 'right'];
  const topic = (tail: string): string => `$hw/events/device/default/thermo/${tail}`;
  return {
    start,
    stop,
    until,
    access,
    port,
    at,
    topic,
    publish: (to: string, message: string) => run('mosquitto_pub', [...access, '-q', '1', '-t', to, '-m', message]),
    /** Asks, and resolves with what `heard` has on the topic of the answer. */
    async request(heard: readonly string[], ask: string, message: string) {
      const before = heard.length;
      await run('mosquitto_pub', [...access, '-q', '1', '-t', ask, '-m', message]);
      const answer = (): string | undefined => heard.slice(before).find((line) => line.startsWith(`${ask}/result `));
      await until(`an answer to ${ask}`, () => answer() !== undefined);
      // oxlint-disable-next-line no-explicit-any -- a document to look into
      return JSON.parse(answer()!.slice(ask.length + 8)) as any;
    },
    /** Everything below `$hw/events` from now on, a line a message. */
    async listen() {
      const lines: string[] = [];
      const listener = spawn('mosquitto_sub', [...access, '-q', '1', '-t', '$hw/events/#', '-v'], { stdio: 'pipe' });
      t.after(() => listener.kill('SIGKILL'));
      listener.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n')));
      // It does not say that it has subscribed.
      while (!lines.includes('$hw/events/mark 1')) {
        await run('mosquitto_pub', [...access, '-t', '$hw/events/mark', '-m', '1']);
        await systemClock.sleep('a mark', milliseconds(50));
      }
      return lines;
    },
  };
}

test(
  'mosquitto’s clients and the user’s command with an edgecore that has no cloud',
  { skip: !hasClients && 'mosquitto’s clients are not installed' },
  async (t) => {
    const edge = await place(t);
    await edge.start();
    // Who has no password, or speaks no TLS, gets nothing.
    await assert.rejects(run('mosquitto_pub', [...edge.access.slice(0, -1), 'wrong', '-t', 'a', '-m', 'b']));
    await assert.rejects(run('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(edge.port), '-t', 'a', '-m', 'b']));

    const heard = await edge.listen();
    const update = (value: string) =>
      edge.publish(
        edge.topic('twin/update'),
        JSON.stringify({ event_id: value, twin: { temperature: { actual: { value } } } }),
      );
    for (const value of ['20', '31']) await update(value);
    await edge.until('the alarm', () => heard.some((line) => line.startsWith(`${edge.topic('alarm')} `)));
    const alarm = heard.find((line) => line.startsWith(`${edge.topic('alarm')} `))!;
    assert.match(alarm, /"name":"too-hot","property":"temperature","state":"raised","severity":"warning","value":"31"/);
    assert.ok(heard.some((line) => line.startsWith(`${edge.topic('twin/update/document')} `)));

    const got = await edge.request(heard, edge.topic('twin/get'), '{"event_id":"q1"}');
    assert.deepEqual([got.event_id, got.twin.temperature.actual.value], ['q1', '31']);
    const history = await edge.request(heard, edge.topic('history/get'), '{"event_id":"h1","last":"1h"}');
    assert.deepEqual(
      history.history.temperature.map(({ value }: { value: string }) => value),
      ['20', '31'],
    );
    const members = await edge.request(heard, '$hw/events/node/edge-1/membership/get', '{"event_id":"m1"}');
    assert.equal(members.devices[0].id, 'default/thermo');
    const refused = await edge.request(heard, edge.topic('state/update'), '{"event_id":"x","state":"exploded"}');
    assert.equal(refused.code, 400);

    const command = async (...words: string[]) =>
      (await run(join(root, 'bin/kedge'), ['device', 'history', ...words, '--socket', edge.at('device.sock')])).stdout;
    const table = await command('thermo', '--property', 'temperature', '--last', '10m');
    assert.match(table, /^TIME +PROPERTY +VALUE\n\S+Z +temperature +20\n\S+Z +temperature +31\n$/);
    await assert.rejects(command('other'), /there is no device default\/other on this node/);

    await edge.publish('kept/topic', 'here');
    await run('mosquitto_pub', [...edge.access, '-q', '1', '-r', '-t', 'kept/topic', '-m', 'retained']);
    // What is retained and what was measured is written together, within seconds.
    await systemClock.sleep('the batch', milliseconds(6_500));
    await edge.stop('SIGKILL');
    await edge.start();
    const again = await edge.listen();
    const standing = await edge.request(again, edge.topic('alarm/get'), '{"event_id":"a1"}');
    assert.deepEqual(
      standing.alarms.map(({ name, value }: { name: string; value: string }) => [name, value]),
      [['too-hot', '31']],
    );
    const { stdout: retained } = await run('mosquitto_sub', [...edge.access, '-t', 'kept/#', '-C', '1', '-W', '10']);
    assert.equal(retained, 'retained\n');
    assert.match(await command('default/thermo', '-o', 'json'), /"value": "31"/);
    await update('32');
    await update('20');
    await edge.until('the end of the alarm', () => again.some((line) => line.includes('"state":"cleared"')));
    // A restart raises nothing twice.
    assert.equal(again.filter((line) => line.startsWith(`${edge.topic('alarm')} `)).length, 1);
    await edge.stop('SIGTERM');
  },
);

test(
  'what is accepted for clients that are away is there after edgecore was killed',
  { skip: !hasClients && 'mosquitto’s clients are not installed' },
  async (t) => {
    const edge = await place(t);
    await edge.start();
    const session = (id: string, qos: string, ...more: string[]): string[] => [
      ...edge.access,
      '-c',
      '-i',
      id,
      '-q',
      qos,
      '-t',
      'work/#',
      ...more,
    ];
    // `-E`: it goes as soon as it has subscribed.
    for (const [id, qos] of [
      ['one', '1'],
      ['two', '2'],
    ] as const)
      await run('mosquitto_sub', session(id, qos, '-E'));
    const publish = (text: string, qos: string, ...more: string[]) =>
      run('mosquitto_pub', [...edge.access, '-q', qos, '-t', 'work/item', '-m', text, ...more]);
    await publish('a', '1');
    await publish('b', '2');
    await publish('c', '1');
    await run('mosquitto_pub', [...edge.access, '-q', '1', '-r', '-t', 'kept/item', '-m', 'c']);
    // A client that will not say goodbye.
    const mortal = connect(`mqtts://127.0.0.1:${edge.port}`, {
      ca: await readFile(edge.at('ca.crt')),
      username: 'app',
      password: 'right',
      reconnectPeriod: 0,
      protocolVersion: 4,
      will: { topic: 'work/will', payload: Buffer.from('gone'), qos: 1, retain: false },
    });
    t.after(() => mortal.endAsync(true));
    await mortal.subscribeAsync('x');
    // Not a moment later: what has been acknowledged is on disk.
    await publish('d', '2');
    await edge.stop('SIGKILL');
    await edge.start();
    for (const [id, qos] of [
      ['one', '1'],
      ['two', '2'],
    ] as const) {
      const { stdout } = await run('mosquitto_sub', session(id, qos, '-C', '5', '-W', '10'));
      const lines = stdout.trim().split('\n');
      const items = lines.filter((line) => line !== 'gone');
      // Messages of both qualities overtake each other in a client that takes both.
      assert.deepEqual(qos === '1' ? items : items.toSorted(), ['a', 'b', 'c', 'd'], id);
      assert.equal(lines.length, 5, id);
    }
    // And only once.
    await publish('last', '1');
    const { stdout } = await run('mosquitto_sub', session('one', '1', '-C', '1', '-W', '10'));
    assert.equal(stdout, 'last\n');
    const { stdout: retained } = await run('mosquitto_sub', [...edge.access, '-t', 'kept/item', '-C', '1', '-W', '10']);
    assert.equal(retained, 'c\n');
    await edge.stop('SIGTERM');
  },
);

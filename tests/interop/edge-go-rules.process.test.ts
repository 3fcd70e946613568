// Rules of a real Go cloudcore's router with our edge and the broker inside it: MQTT to HTTP, HTTP to MQTT, and a rule that
// goes. Runs where $PEERS names a folder with the program.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { milliseconds } from '@kedge/core/time';
import { createDeviceTwin } from '@kedge/edge/devicetwin';
import { toAnyOutbox } from '@kedge/edge/edgehub';
import { createEventBus } from '@kedge/edge/eventbus';
import { createMqtt } from '@kedge/platform/mqtt';
import { createMqttBrokers } from '@kedge/platform/mqtt-broker';
import { createFiles, createHttpClient, createRandom, systemClock } from '@kedge/platform/node';
import { smallBroker } from '@kedge/testing/mqtt';
import { edgeNode } from './cloud-rig.ts';
import { eventually, node, readToken, startApi, startEdge, whenTrue } from './peers/edge-rig.ts';
import { findPeer, startGoCloudCore } from './peers/go-cloudcore.ts';

const version = 'v1.22.2';
const peer = findPeer(`cloudcore-${version}`);
const rules = (resource: string) => ({ group: 'rules.kubeedge.io', version: 'v1', resource });

test(`rules of a Go cloudcore ${version}`, { skip: 'missing' in peer && peer.missing, timeout: 180_000 }, async (t) => {
  assert.ok('path' in peer);
  const folder = mkdtempSync(join(tmpdir(), 'kedge-rules-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { kube, kubeconfig } = await startApi(t, folder, version);
  const cloud = await startGoCloudCore(peer.path, kubeconfig, undefined, { router: true });
  t.after(() => cloud.stop());

  // What a rule sends to.
  const posted: string[] = [];
  const target = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      posted.push(`${request.method} ${request.url} ${body}`);
      response.end('ok');
    });
  }).listen(0, '127.0.0.1');
  await once(target, 'listening');
  t.after(() => target.close());
  const { port: targetPort } = target.address() as { port: number };

  const common = { clock: systemClock, log: silentLog, random: createRandom() };
  let openedPort = 0;
  const edge = await startEdge(t, cloud, await readToken(kube), folder, (meta, db) => {
    const twins = createDeviceTwin({ ...common, db, objects: meta.devices });
    const brokers = createMqttBrokers({ log: silentLog, now: () => systemClock.now() });
    const bus = createEventBus(
      {
        ...common,
        db,
        files: createFiles(),
        openMqtt: async () => createMqtt(),
        openMqttBrokers: async () => ({
          async open(options) {
            const broker = await brokers.open(options);
            openedPort = broker.port;
            return broker;
          },
        }),
        twins,
      },
      {
        node,
        inside: smallBroker,
      },
    );
    return { modules: [twins, bus], handlers: bus.handlers, outbox: toAnyOutbox(bus.outbox) };
  });
  await whenTrue('link', () => edge.link.isOnline);
  const { apiVersion: _, kind: __, ...object } = edgeNode(node, 'v1.32.0-kedge-v0.1.0');
  const { signal } = new AbortController();
  const nodeRef = { type: 'node', namespace: undefined, name: node };
  assert.ok((await edge.meta.asks.ask({ kind: 'object.create', ref: nodeRef, object }, signal)).ok);
  await whenTrue('the broker', () => openedPort > 0);

  const heard: string[] = [];
  const application = await createMqtt().connect({
    url: `tcp://127.0.0.1:${openedPort}`,
    clientId: 'application',
    timeoutMs: 5_000,
    async onMessage({ topic, payload }) {
      heard.push(`${topic} ${new TextDecoder().decode(payload)}`);
    },
  });
  t.after(() => application.close());
  await application.subscribe(['#'], 1);

  const put = (resource: string, kind: string, name: string, spec: object) =>
    kube.create(rules(resource), 'default', {
      apiVersion: 'rules.kubeedge.io/v1',
      kind,
      metadata: { name, namespace: 'default' },
      spec,
    });
  await put('ruleendpoints', 'RuleEndpoint', 'rest', { ruleEndpointType: 'rest', properties: {} });
  await put('ruleendpoints', 'RuleEndpoint', 'bus', { ruleEndpointType: 'eventbus', properties: {} });
  await put('rules', 'Rule', 'up', {
    source: 'bus',
    sourceResource: { topic: 'up', node_name: node },
    target: 'rest',
    targetResource: { resource: `http://127.0.0.1:${targetPort}/sink` },
  });
  await put('rules', 'Rule', 'down', {
    source: 'rest',
    sourceResource: { path: '/a' },
    target: 'bus',
    targetResource: { topic: 'down' },
  });

  // The rule is told once, some time after it is there: until then a message is nobody's.
  await eventually('a message of an application at the target', async () => {
    await application.publish({ topic: 'default/up', payload: '{"temp":21}', qos: 1 });
    return posted.length > 0 ? true : undefined;
  });
  assert.equal(posted[0], 'POST /sink {"temp":21}');

  const client = createHttpClient();
  t.after(() => client.close());
  const url = `http://127.0.0.1:${cloud.routerPort}/${node}/default/a`;
  await eventually('the router to take a request', async () => {
    const response = await client.request({ method: 'POST', url, body: 'hello edge' });
    await response.text();
    return response.status === 200 ? true : undefined;
  });
  await whenTrue('the message of the cloud at the application', () => heard.includes('down hello edge'));

  await kube.delete(rules('rules'), { namespace: 'default', name: 'up' });
  await eventually('the rule to be gone', async () => {
    const before = posted.length;
    await application.publish({ topic: 'default/up', payload: 'late', qos: 1 });
    await application.publish({ topic: 'SYS/dis/upload_records', payload: 'late', qos: 1 });
    await systemClock.sleep('a request that must not come', milliseconds(500));
    return posted.length === before ? true : undefined;
  });
});

// Calling a method from the cloud: the words of the command line, what is refused before a pod is made, and the mapper that is
// found, asked once, and taken at its word.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { milliseconds, seconds } from '@kedge/core/time';
import type { Device } from '@kedge/model/kubeedge';
import { createHttpClient } from '@kedge/platform/node';
import { readCallOptions } from '../src/commands/device.ts';
import { askMapper, type Question, readAnswer } from '../src/device-call/ask-mapper.ts';
import { requireKnown } from '../src/device-call/device-call.ts';
import { nodePod } from '../src/node-pod/node-pod.ts';

const call: Question = { do: 'call', method: 'switch', property: 'enabled', value: 'a/b c' };

describe('words of a call', () => {
  test('are a device, a method, a property and a value', () => {
    const { namespace, device, question, ports, isHere } = readCallOptions(
      'call',
      { namespace: 'plant', port: '10277,7777' },
      ['boiler', 'switch', 'enabled', '-1'],
    );
    assert.deepEqual([namespace, device, ports, isHere], ['plant', 'boiler', [10_277, 7_777], false]);
    assert.deepEqual(question, { do: 'call', method: 'switch', property: 'enabled', value: '-1' });
    assert.equal(readCallOptions('call', {}, ['plant/boiler']).question, undefined);
    assert.deepEqual(readCallOptions('read', {}, ['plant/boiler', 'level']).question, {
      do: 'read',
      property: 'level',
    });
  });
  for (const [what, values, words, complaint] of [
    ['call', {}, [], /name of a device/],
    ['call', {}, ['boiler', 'switch', 'enabled'], /METHOD PROPERTY VALUE/],
    ['call', { here: true }, ['boiler'], /METHOD PROPERTY VALUE/],
    ['read', {}, ['boiler'], /DEVICE and PROPERTY/],
    ['read', { port: '0' }, ['boiler', 'level'], /--port 0/],
    ['read', { timeout: '1h' }, ['boiler', 'level'], /from 1s to 10m/],
    ['read', { output: 'yaml' }, ['boiler', 'level'], /text and json/],
    ['read', { 'server-name': 'edge-1' }, ['boiler', 'level'], /need --ca/],
    ['read', { ca: '/etc/ca.crt', 'client-cert': '/etc/c.crt' }, ['boiler', 'level'], /needed together/],
    ['read', { ca: 'ca.crt' }, ['boiler', 'level'], /"ca.crt": name the file as it is on the node/],
    ['read', { ca: '/etc/../root/ca.crt' }, ['boiler', 'level'], /as it is on the node/],
  ] as const) {
    test(`"${what} ${words.join(' ')}" with ${JSON.stringify(values)} is refused`, () =>
      assert.throws(() => readCallOptions(what, values, words), complaint));
  }
});

describe('before a pod is made', () => {
  const boiler: Device = {
    metadata: { name: 'boiler', namespace: 'plant' },
    spec: {
      properties: [{ name: 'enabled' }, { name: 'level' }],
      methods: [{ name: 'switch', propertyNames: ['enabled'] }],
    },
  } as Device;
  for (const [question, complaint] of [
    [{ ...call, method: 'swich' }, /has no method "swich": it has switch$/],
    [{ ...call, property: 'level' }, /method "switch" does not take "level": it has enabled$/],
    [{ do: 'read', property: 'levle' }, /has no property "levle": it has enabled, level$/],
  ] as const) {
    test(`${JSON.stringify(question)} is refused`, () =>
      assert.throws(() => requireKnown(boiler, question), complaint));
  }
  test('what the device has is not', () => requireKnown(boiler, call));
});

test('the pod is on the network of the node, and can do nothing else', () => {
  const { spec } = nodePod({
    ...{ name: 'n', namespace: 'plant', node: 'edge-1', image: 'mapper:1', longestSeconds: 90 },
    task: { label: 'kedge-device-call', container: 'ask' },
    args: ['device', 'call', '--here', '--', 'boiler', 'switch', 'enabled', '-1'],
  });
  assert.deepEqual(
    [spec!.nodeName, spec!.hostNetwork, spec!.automountServiceAccountToken, spec!.activeDeadlineSeconds, spec!.volumes],
    ['edge-1', true, false, 90, undefined],
  );
});

test('the pod reads the files of its node that it is told of, and writes none', () => {
  const { https } = readCallOptions('read', { ca: '/etc/m/ca.crt', 'client-cert': '/c.crt', 'client-key': '/c.key' }, [
    'boiler',
    'level',
  ]);
  assert.deepEqual(https, {
    ca: '/etc/m/ca.crt',
    client: { certificate: '/c.crt', key: '/c.key' },
    serverName: undefined,
  });
  assert.equal(readCallOptions('read', { ca: 'ca.crt', here: true }, ['boiler', 'level']).https?.ca, 'ca.crt');
  const { spec } = nodePod({
    ...{ name: 'n', namespace: 'plant', node: 'edge-1', image: 'mapper:1', longestSeconds: 90, args: [] },
    task: { label: 'kedge-device-call', container: 'ask' },
    files: ['/etc/m/ca.crt', '/c.crt', '/etc/m/ca.crt'],
  });
  assert.deepEqual(spec!.volumes, [
    { name: 'file-0', hostPath: { path: '/etc/m/ca.crt', type: 'File' } },
    { name: 'file-1', hostPath: { path: '/c.crt', type: 'File' } },
  ]);
  assert.deepEqual(spec!.containers[0]!.volumeMounts, [
    { name: 'file-0', mountPath: '/etc/m/ca.crt', readOnly: true },
    { name: 'file-1', mountPath: '/c.crt', readOnly: true },
  ]);
  assert.deepEqual(spec!.containers[0]!.securityContext?.capabilities, { drop: ['ALL'] });
});

describe('the mapper of a machine', () => {
  const paths: string[] = [];
  let server: Server;
  let port: number;
  let stranger: Server;
  let strangerPort: number;
  const open = () => createHttpClient({});
  const asked = (question: Question, timeout = seconds(5)) => ({
    ...{ namespace: 'plant', device: 'boiler', question, address: '127.0.0.1', timeout, isSecure: false },
    ports: [strangerPort, port],
  });
  const ask = (question: Question, timeout = seconds(5)) =>
    askMapper(asked(question, timeout), open, new AbortController().signal);

  before(async () => {
    const listen = (one: Server): Promise<number> =>
      new Promise((resolve) => one.listen(0, '127.0.0.1', () => resolve((one.address() as AddressInfo).port)));
    server = createServer(({ url = '' }, response) => {
      paths.push(url);
      if (url === '/api/v1/devicemethod/plant/boiler') return response.end('{"Data":{"Methods":[]}}');
      if (url === '/api/v1/device/plant/boiler/level') {
        return response.end('{"statusCode":200,"Data":{"Value":"21.5","Type":"float","TimeStamp":1700000000000}}');
      }
      if (url.endsWith('/enabled/a%2Fb%20c')) return response.end('{"statusCode":200,"Message":"done","Data":"7"}');
      if (url.endsWith('/enabled/slow')) return undefined;
      response.statusCode = 500;
      return response.end('the device\nsays no');
    });
    stranger = createServer((_, response) => {
      response.statusCode = 500;
      response.end('device plant/boiler is not there');
    });
    port = await listen(server);
    strangerPort = await listen(stranger);
  });
  after(() => {
    for (const one of [server, stranger]) {
      one.closeAllConnections();
      one.close();
    }
  });

  test('is found among others, and asked once', async () => {
    paths.length = 0;
    assert.deepEqual(await ask(call), { device: 'plant/boiler', say: 'done', value: '7' });
    assert.deepEqual(paths, [
      '/api/v1/devicemethod/plant/boiler',
      '/api/v1/devicemethod/plant/boiler/switch/enabled/a%2Fb%20c',
    ]);
  });
  test('reads', async () => {
    const { value, type, at } = await ask({ do: 'read', property: 'level' });
    assert.deepEqual([value, type, at], ['21.5', 'float', 1_700_000_000_000]);
  });
  test('is quoted when it refuses', () =>
    assert.rejects(() => ask({ ...call, value: 'x' }), /^Error: the mapper says: the device says no$/));
  test('that says nothing is not waited for any longer', () =>
    assert.rejects(() => ask({ ...call, value: 'slow' }, milliseconds(50)), /whether the device did it is unknown/));
  test('that nobody has is named with where it was looked for', async () => {
    const nowhere = { ...asked(call), ports: [strangerPort] };
    await assert.rejects(
      askMapper(nowhere, open, new AbortController().signal),
      new RegExp(`no mapper on 127\\.0\\.0\\.1 has device plant/boiler \\(${strangerPort}: .* is not there\\)`),
    );
  });
});

test('the answer is found between what else a pod wrote', () => {
  const answer = { device: 'plant/boiler', say: 'done' };
  assert.deepEqual(readAnswer(`{"time":"t"}\n${JSON.stringify(answer)}\n{"device":7}\n`), {
    answer,
    rest: ['{"time":"t"}', '{"device":7}'],
  });
});

// Searching from a node: the pod, what its states and its log mean, and the words on the command line.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '@kedge/model/k8s-types';
import { parseAllDocuments } from 'yaml';
import { readDiscoverOptions } from '../src/commands/device.ts';
import { toYaml } from '../src/discovery/to-yaml.ts';
import { readSearchLog, searchPod } from '../src/discovery/search-pod.ts';
import { nodePodState } from '../src/node-pod/node-pod.ts';

const base = { name: 'kedge-discover-1', namespace: 'plant', node: 'edge-1', image: 'mapper:1' };

describe('the pod that searches', () => {
  test('is on the node and its network, and can do nothing else', () => {
    const { spec } = searchPod({
      ...base,
      request: { protocol: 'modbus', options: { hosts: '10.0.0.0/28', units: '1-3' } },
    });
    const [container] = spec!.containers!;
    assert.deepEqual(container!.args, [
      ...['device', 'discover', 'modbus', 'hosts=10.0.0.0/28', 'units=1-3'],
      ...['--output', 'json'],
    ]);
    assert.deepEqual(
      [spec!.nodeName, spec!.hostNetwork, spec!.restartPolicy, spec!.automountServiceAccountToken, spec!.volumes],
      ['edge-1', true, 'Never', false, undefined],
    );
    assert.deepEqual(container!.securityContext, { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
  });

  test('has the serial port that was named', () => {
    const { spec } = searchPod({ ...base, request: { protocol: 'modbus', options: { serial: '/dev/ttyUSB0' } } });
    assert.deepEqual(spec!.volumes, [{ name: 'serial', hostPath: { path: '/dev/ttyUSB0', type: 'CharDevice' } }]);
    assert.deepEqual(spec!.containers![0]!.volumeMounts, [{ name: 'serial', mountPath: '/dev/ttyUSB0' }]);
    assert.deepEqual(spec!.containers![0]!.securityContext, { privileged: true });
  });

  test('takes no password, which others could read', () => {
    const options = { broker: 'mqtt://10.0.0.1', username: 'ann', password: 'swordfish' };
    assert.throws(() => searchPod({ ...base, request: { protocol: 'mqtt', options } }), /readable in the pod/);
  });

  const waiting = (reason: string): Pod['status'] => ({
    phase: 'Pending',
    containerStatuses: [
      { name: 'search', image: '', imageID: '', ready: false, restartCount: 0, state: { waiting: { reason } } },
    ],
  });
  for (const [status, at] of [
    [undefined, 'waiting'],
    [{ phase: 'Running' }, 'waiting'],
    [waiting('ContainerCreating'), 'waiting'],
    [waiting('ImagePullBackOff'), 'hopeless'],
    [{ phase: 'Succeeded' }, 'ended'],
    [{ phase: 'Failed', reason: 'DeadlineExceeded' }, 'ended'],
  ] as const) {
    test(`is ${at} when its status is ${JSON.stringify(status)}`, () => {
      assert.equal(nodePodState({ metadata: {}, ...(status === undefined ? {} : { status }) } as Pod).at, at);
    });
  }

  test('writes what it found between what it has to say', () => {
    const found = { name: 'boiler', protocolConfig: {}, properties: [] };
    const log = `{"time":"t","say":"x"}\n${JSON.stringify({ protocol: 'modbus', found })}\nkedge: bad\n{"protocol":"modbus","fo\n`;
    assert.deepEqual(readSearchLog(log), {
      found: [{ protocol: 'modbus', found }],
      rest: ['{"time":"t","say":"x"}', 'kedge: bad', '{"protocol":"modbus","fo'],
    });
  });
});

test('a device cannot say of itself what becomes an object', () => {
  const evil = 'x\n---\napiVersion: v1\nkind: Secret\r---\u2028kind: Pod\u0085kind: Job';
  const found = { name: 'boiler', description: evil, protocolConfig: { url: evil }, properties: [] };
  const documents = parseAllDocuments(toYaml({ protocol: 'mqtt', found }, { node: 'edge-1', namespace: 'default' }));
  assert.deepEqual(
    (documents as { toJS(): { kind: string } }[]).map((one) => one.toJS().kind),
    ['DeviceModel', 'Device'],
  );
});

describe('words of a search', () => {
  test('are a protocol and what to look through', () => {
    assert.deepEqual(readDiscoverOptions({ node: 'edge-1' }, ['opcua', 'url=opc.tcp://a:1/x=y', 'limit=5']).request, {
      protocol: 'opcua',
      options: { url: 'opc.tcp://a:1/x=y', limit: '5' },
    });
    assert.deepEqual(readDiscoverOptions({}, []).request, { protocol: undefined, options: {} });
  });
  for (const [words, complaint] of [
    [['modbus', 'mqtt'], /one protocol at a time/],
    [['ports=502'], /name the protocol/],
  ] as const) {
    test(`"${words.join(' ')}" is refused`, () => assert.throws(() => readDiscoverOptions({}, words), complaint));
  }
  test('an unknown output is refused', () =>
    assert.throws(() => readDiscoverOptions({ output: 'xml' }, []), /yaml and json/));
});

// The machine goes down as systemd-logind has it: a real logind, whose order to power off ends at a stand-in for systemd.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tracesOf } from './harness/host-traces.ts';
import { logindMissing, type PrivateLogind, privateLogind } from './harness/logind/private-logind.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';

/** Takes two seconds to end, and does so well. Has no volume: mounts of this edgecore stay in its namespace. */
const goodbye = (name: string, spec = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: kube-system }
spec:
  terminationGracePeriodSeconds: 10
  automountServiceAccountToken: false
  ${spec}
  containers:
    - name: main
      image: docker.io/library/busybox:1.35
      imagePullPolicy: IfNotPresent
      command: [sh, -c, 'trap "sleep 2; exit 0" TERM; while true; do sleep 0.1; done']
`;

describe('a machine that goes down by systemd-logind', { skip: logindMissing() ?? false }, () => {
  let logind: PrivateLogind;
  let parts: Parts;
  /** Containers that ran when systemd was told to start a unit. */
  const ranThen: Promise<number>[] = [];
  before(async () => {
    logind = await privateLogind(() => ranThen.push(parts.runtime.running().then(({ size }) => size)));
    parts = await createParts('logind', {
      kubeletConfig: { shutdownGracePeriod: '20s', shutdownGracePeriodCriticalPods: '10s' },
      edgeWithin: logind.enter,
    });
    await parts.startAll();
  });
  after(async () => {
    await parts.remove();
    await logind.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });
  const show = (what: string, path: string): Promise<string> =>
    parts.kubectl('get', '-n', 'kube-system', ...what.split(' '), '-o', `jsonpath=${path}`);
  const isReady = async (): Promise<boolean> =>
    (await show(`node ${parts.node}`, '{.status.conditions[?(@.type=="Ready")].status}')) === 'True';

  it('is held back: logind lists the lock, and was told to wait as long as the periods take', async () => {
    const list = await eventually('the lock', async () => {
      const table = await logind.inhibitors();
      return /^kedge edgecore\s.*\sshutdown\s.*\sdelay$/m.test(table) && table;
    });
    assert.match(list, /Pods are ended in order/);
    assert.equal(await logind.longestDelay(), 20);
  });

  it('goes down only after its pods have ended, the critical ones last', async () => {
    await parts.kubectl.apply(goodbye('app'));
    await parts.kubectl.apply(goodbye('critical', 'priorityClassName: system-node-critical'));
    await parts.kubectl(
      'wait',
      '-n',
      'kube-system',
      '--for=condition=Ready',
      'pod/app',
      'pod/critical',
      '--timeout=60s',
    );
    assert.deepEqual(logind.systemd.started, []);
    await logind.powerOff();
    await eventually('systemd to be told', async () => logind.systemd.started.length > 0, 30_000);
    assert.deepEqual(logind.systemd.started, ['poweroff.target']);
    assert.deepEqual(await Promise.all(ranThen), [0], 'nothing ran any more');
    const status = '{.status.phase} {.status.reason} {.status.containerStatuses[0].state.terminated.exitCode}';
    const end = (pod: string): Promise<string> =>
      show(`pod ${pod}`, '{.status.containerStatuses[0].state.terminated.finishedAt}');
    for (const pod of ['app', 'critical']) assert.equal(await show(`pod ${pod}`, status), 'Failed Terminated 0');
    const apart = Date.parse(await end('critical')) - Date.parse(await end('app'));
    assert.ok(apart >= 1_000, `the critical pod was told to end after the other had: ${apart} ms`);
    const ready = '{.status.conditions[?(@.type=="Ready")].message}';
    assert.equal(await show(`node ${parts.node}`, ready), 'node is shutting down');
  });

  it('takes pods again when the shutdown comes to nothing, and is held back anew', async () => {
    logind.systemd.finish();
    await eventually('the node to be ready', isReady);
    await parts.kubectl.apply(goodbye('next'));
    await parts.kubectl('wait', '-n', 'kube-system', '--for=condition=Ready', 'pod/next', '--timeout=60s');
    assert.match(await logind.inhibitors(), /^kedge edgecore\s/m);
  });

  it('is let go when edgecore ends in whatever way', async () => {
    await parts.end('edgecore', 'SIGKILL');
    await eventually('the lock to be gone', async () => !/kedge edgecore/.test(await logind.inhibitors()));
  });
});

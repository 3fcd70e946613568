// The machine goes down, as the script of an init system without logind tells edgecore: SIGUSR2. A real runtime, a real cloud.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tracesOf } from './harness/host-traces.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';

/** Takes two seconds to end, and does so well. */
const goodbye = (name: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  terminationGracePeriodSeconds: 10
  containers:
    - name: main
      image: docker.io/library/busybox:1.35
      imagePullPolicy: IfNotPresent
      command: [sh, -c, 'trap "sleep 2; exit 0" TERM; while true; do sleep 0.1; done']
`;

describe('a machine that goes down', () => {
  let parts: Parts;
  /** What the edgecore before has logged. */
  let earlier = 0;
  before(async () => {
    parts = await createParts('shutdown', {
      kubeletConfig: { shutdownGracePeriod: '20s', shutdownGracePeriodCriticalPods: '5s' },
    });
    await parts.startAll();
  });
  after(async () => {
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });
  const show = (what: string, path: string): Promise<string> =>
    parts.kubectl('get', ...what.split(' '), '-o', `jsonpath=${path}`);

  it('keeps its pods when edgecore is only told to end', async () => {
    await parts.kubectl.apply(goodbye('app'));
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/app', '--timeout=60s');
    const running = await parts.runtime.running();
    await parts.end('edgecore', 'SIGTERM');
    assert.deepEqual(await parts.runtime.running(), running);
    earlier = parts.logOf('edgecore').length;
    await parts.start('edgecore');
    await parts.waitReady();
    assert.equal(await show('pod app', '{.status.phase}'), 'Running');
  });

  it('ends its pods first, tells the cloud, and edgecore ends after them', async () => {
    const said = 'the machine waits for pods when it goes down';
    await eventually('the second edgecore to wait for it too', async () =>
      parts.logOf('edgecore').slice(earlier).includes(said),
    );
    const began = Date.now();
    await parts.end('edgecore', 'SIGUSR2');
    const took = Date.now() - began;
    assert.ok(took >= 2_000 && took < 15_000, `the pod had its time to end: ${took} ms`);
    assert.equal((await parts.runtime.running()).size, 0);
    const status = '{.status.phase} {.status.reason} {.status.containerStatuses[0].state.terminated.exitCode}';
    assert.equal(await show('pod app', status), 'Failed Terminated 0');
    const target = '{.status.conditions[?(@.type=="DisruptionTarget")].reason}';
    assert.equal(await show('pod app', target), 'TerminationByKubelet');
    const ready = '{.status.conditions[?(@.type=="Ready")].message}';
    assert.equal(await show(`node ${parts.node}`, ready), 'node is shutting down');
  });

  it('takes pods again after it came back, and not those that were ended', async () => {
    await parts.reboot();
    await parts.start('edgecore');
    await parts.waitReady();
    await parts.kubectl.apply(goodbye('next'));
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/next', '--timeout=60s');
    assert.equal(await show('pod app', '{.status.phase}'), 'Failed');
  });
});

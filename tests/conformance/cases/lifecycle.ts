// Hooks, ends and deadlines. After the groups "Container Lifecycle Hook", "Pods", "Pods Extended", "NodeLease", "Events".
import assert from 'node:assert/strict';
import type { LifecycleHandler } from '@kedge/model/k8s-types';
import { eventually } from '../../e2e/harness/run.ts';
import {
  type Case,
  containerOf,
  forever,
  type NodeUnderTest,
  once,
  type RunningPod,
  shell,
} from '../node-under-test.ts';

/** A web server that prints what it is asked for. */
async function listener(node: NodeUnderTest): Promise<{ pod: RunningPod; address: string }> {
  const script = 'mkdir -p /www; echo ok > /www/hooked; exec httpd -f -vv -p 8080 -h /www';
  const pod = await node.pod({ containers: [shell(script)] });
  const { status } = await pod.ready();
  return { pod, address: status!.podIP! };
}

const hooked =
  (hook: 'postStart' | 'preStop', handlerOf: (address: string) => LifecycleHandler): Case['run'] =>
  async (node) => {
    const { pod, address } = await listener(node);
    const subject = await node.pod({ containers: [shell(forever, { lifecycle: { [hook]: handlerOf(address) } })] });
    await subject.ready();
    if (hook === 'preStop') await subject.delete();
    await pod.says(/\/hooked/);
  };
const ask = (address: string): LifecycleHandler => ({
  exec: { command: ['sh', '-c', `printf 'GET /hooked HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${address} 8080`] },
});
const httpGet = (host: string): LifecycleHandler => ({ httpGet: { host, port: 8080, path: '/hooked' } });

export const lifecycleCases: readonly Case[] = [
  { name: 'a postStart command runs when the container has started', run: hooked('postStart', ask) },
  { name: 'a preStop command runs before the container ends', run: hooked('preStop', ask) },
  { name: 'a postStart request is sent when the container has started', run: hooked('postStart', httpGet) },
  { name: 'a preStop request is sent before the container ends', run: hooked('preStop', httpGet) },
  {
    name: 'a preStop sleep holds the end back, and a pod is gone after its grace period all the same',
    async run(node) {
      const pod = await node.pod({
        containers: [shell(forever, { lifecycle: { preStop: { sleep: { seconds: 3 } } } })],
      });
      await pod.ready();
      const began = Date.now();
      await pod.delete(30);
      const took = Date.now() - began;
      assert.ok(took >= 2_900 && took < 25_000, `gone after ${took} ms`);
    },
  },
  {
    name: 'a postStart hook that fails ends its container, with an event',
    async run(node) {
      const lifecycle = { postStart: { exec: { command: ['false'] } } };
      const pod = await node.pod({ containers: [shell(forever, { lifecycle })] });
      await pod.until('a restart', (now) => containerOf(now).restartCount > 0);
      assert.ok((await pod.events('FailedPostStartHook')).length > 0);
      await pod.delete(0);
    },
  },
  {
    name: 'a pod is created, seen by a watcher, told to end by SIGTERM, and gone',
    async run(node) {
      const pod = await node.pod({
        containers: [shell(`trap "echo told; exit 0" TERM; while true; do sleep 1 & wait $!; done`)],
      });
      const { status } = await pod.ready();
      assert.ok(status!.startTime && status!.podIP && status!.hostIP);
      await pod.delete(30);
    },
  },
  {
    name: 'a container that does not end is killed after the grace period, with code 137',
    async run(node) {
      const pod = await node.pod({
        restartPolicy: 'Never',
        activeDeadlineSeconds: 2,
        terminationGracePeriodSeconds: 1,
        containers: [shell('trap "" TERM; while true; do sleep 1; done')],
      });
      const ended = await pod.until('its end', (now) => containerOf(now).state?.terminated && now);
      assert.equal(containerOf(ended).state!.terminated!.exitCode, 137);
    },
  },
  {
    name: 'a pod that is active for longer than it may fails with DeadlineExceeded',
    async run(node) {
      const pod = await node.pod({ containers: [shell(forever)] });
      await pod.ready();
      await pod.patch({ spec: { activeDeadlineSeconds: 1 } });
      const { status } = await pod.until('to fail', (now) => now.status?.phase === 'Failed' && now);
      assert.equal(status!.reason, 'DeadlineExceeded');
    },
  },
  {
    name: 'a pod that ends by itself is Succeeded, its conditions say PodCompleted',
    async run(node) {
      const { status } = await (await node.pod(once('true'))).ended();
      assert.equal(status!.phase, 'Succeeded');
      assert.equal(status!.conditions!.find(({ type }) => type === 'Ready')!.reason, 'PodCompleted');
    },
  },
  {
    name: 'a QoS class is told: Guaranteed, Burstable, BestEffort',
    async run(node) {
      const amounts = { cpu: '10m', memory: '16Mi' };
      const pods = await Promise.all([
        node.pod(once('true', { resources: { limits: amounts, requests: amounts } })),
        node.pod(once('true', { resources: { requests: amounts } })),
        node.pod(once('true')),
      ]);
      const classes = await Promise.all(pods.map(async (pod) => (await pod.ended()).status!.qosClass));
      assert.deepEqual(classes, ['Guaranteed', 'Burstable', 'BestEffort']);
    },
  },
  {
    name: 'a container that takes more memory than its limit is OOMKilled',
    async run(node) {
      const pod = await node.pod(once('head -c 200m /dev/zero | tail', { resources: { limits: { memory: '16Mi' } } }));
      const ended = await pod.ended();
      assert.equal(containerOf(ended).state!.terminated!.reason, 'OOMKilled');
    },
  },
  {
    name: 'readiness gates hold a pod back until somebody sets their conditions',
    async run(node) {
      const pod = await node.pod({ containers: [shell(forever)], readinessGates: [{ conditionType: 'k8s.io/gate' }] });
      await pod.until('its containers to be ready', (now) =>
        now.status?.conditions?.some(({ type, status }) => type === 'ContainersReady' && status === 'True'),
      );
      const gated = (await pod.get()).status!.conditions!.find(({ type }) => type === 'Ready')!;
      assert.deepEqual([gated.status, gated.reason], ['False', 'ReadinessGatesNotReady']);
      await pod.patch({ status: { conditions: [{ type: 'k8s.io/gate', status: 'True' }] } }, 'status');
      await pod.ready();
    },
  },
  {
    name: 'a pod with scheduling gates does not start before they are gone',
    async run(node) {
      const pod = await node.pod({ ...once('true'), schedulingGates: [{ name: 'k8s.io/wait' }] });
      await pod.until('SchedulingGated', (now) =>
        now.status?.conditions?.some(({ reason }) => reason === 'SchedulingGated'),
      );
      await pod.patch({ spec: { schedulingGates: [{ $patch: 'delete', name: 'k8s.io/wait' }] } });
      await pod.ended();
    },
  },
  {
    name: 'events tell of pulling, creating, starting and killing',
    async run(node) {
      const pod = await node.pod({ containers: [shell(forever)] });
      await pod.ready();
      for (const reason of ['Pulled', 'Created', 'Started'])
        await eventually(`the event ${reason}`, async () => (await pod.events(reason)).length > 0);
      await pod.delete();
      await eventually('the event Killing', async () => (await pod.events('Killing')).length > 0);
    },
  },
  {
    name: 'the node has a lease, and renews it',
    async run(node) {
      const renewed = async (): Promise<string> =>
        (await node.get<{ spec: { renewTime: string } }>('Lease', node.name, 'kube-node-lease')).spec.renewTime;
      const first = await renewed();
      await eventually('a newer lease', async () => (await renewed()) > first);
    },
  },
];

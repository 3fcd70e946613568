// Probes. After the group "Probing container".
import assert from 'node:assert/strict';
import type { Container, Pod, Probe } from '@kedge/model/k8s-types';
import {
  type Case,
  containerOf,
  forever,
  isReady,
  type NodeUnderTest,
  type RunningPod,
  shell,
} from '../node-under-test.ts';

const often = { periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 1 };
const web = 'mkdir -p /www; echo ok > /www/ok; exec httpd -f -p 8080 -h /www';

const probed = (node: NodeUnderTest, script: string, more: Partial<Container>): Promise<RunningPod> =>
  node.pod({ containers: [shell(script, more)] });
const restarts = (pod: RunningPod, times = 1): Promise<Pod> =>
  pod.until(`${times} restarts`, (now) => containerOf(now).restartCount >= times && now, 90_000);

/** Enough for several probes to have failed, had they any reason to: seen by the probes of a neighbour that counts. */
async function forSomeProbes(node: NodeUnderTest): Promise<void> {
  const clock = await node.pod({
    containers: [
      shell(forever, {
        readinessProbe: { exec: { command: ['sh', '-c', 'echo >> /n; [ $(wc -l < /n) -ge 5 ]'] }, ...often },
      }),
    ],
  });
  await clock.ready();
  await clock.delete(0);
}

const restartsBy = (name: string, script: string, livenessProbe: Probe): Case => ({
  name,
  async run(node) {
    const pod = await probed(node, script, { livenessProbe: { ...often, ...livenessProbe } });
    await restarts(pod);
    assert.ok((await pod.events('Unhealthy')).length > 0);
    await pod.delete(0);
  },
});

const leavesAlone = (name: string, script: string, livenessProbe: Probe): Case => ({
  name,
  async run(node) {
    const pod = await probed(node, script, { livenessProbe: { ...often, ...livenessProbe } });
    await pod.ready();
    await forSomeProbes(node);
    assert.equal(containerOf(await pod.get()).restartCount, 0);
    await pod.delete(0);
  },
});

export const probeCases: readonly Case[] = [
  {
    name: 'a pod is not ready before the initial delay of its readiness probe, and never restarts for it',
    async run(node) {
      const pod = await probed(node, forever, {
        readinessProbe: { exec: { command: ['true'] }, initialDelaySeconds: 3, periodSeconds: 1 },
      });
      const running = await pod.until('its start', (now) => containerOf(now).state?.running && now);
      const ready = await pod.ready();
      const startedAt = Date.parse(containerOf(running).state!.running!.startedAt!);
      const readyAt = Date.parse(ready.status!.conditions!.find(({ type }) => type === 'Ready')!.lastTransitionTime!);
      assert.ok(readyAt - startedAt >= 2_000, `ready ${readyAt - startedAt} ms after its start`);
      assert.equal(containerOf(ready).restartCount, 0);
    },
  },
  {
    name: 'a pod whose readiness probe fails is never ready and never restarted',
    async run(node) {
      const pod = await probed(node, forever, { readinessProbe: { exec: { command: ['false'] }, ...often } });
      await pod.running();
      await forSomeProbes(node);
      const seen = await pod.get();
      assert.equal(isReady(seen), false);
      assert.equal(containerOf(seen).restartCount, 0);
    },
  },
  {
    name: 'a pod stops being ready when its probe fails, and is ready again when it does not',
    async run(node) {
      const pod = await probed(node, 'touch /ok; sleep 3; rm /ok; sleep 3; touch /ok; sleep 1000', {
        readinessProbe: { exec: { command: ['test', '-e', '/ok'] }, ...often },
      });
      await pod.ready();
      await pod.until('not to be ready', (now) => !isReady(now));
      await pod.ready();
      await pod.delete(0);
    },
  },
  restartsBy('a container is restarted when its exec liveness probe fails', 'touch /ok; sleep 2; rm /ok; sleep 1000', {
    exec: { command: ['cat', '/ok'] },
  }),
  leavesAlone('a container is left alone while its exec liveness probe succeeds', forever, {
    exec: { command: ['true'] },
  }),
  restartsBy('a container is restarted when its exec liveness probe takes too long', forever, {
    exec: { command: ['sleep', '30'] },
    timeoutSeconds: 1,
  }),
  restartsBy('a container is restarted when its HTTP liveness probe fails', web, {
    httpGet: { path: '/absent', port: 8080 },
    initialDelaySeconds: 1,
  }),
  leavesAlone('a container is left alone while its HTTP liveness probe succeeds', web, {
    httpGet: { path: '/ok', port: 8080 },
    initialDelaySeconds: 1,
  }),
  restartsBy('a container is restarted when nothing listens where its TCP liveness probe asks', forever, {
    tcpSocket: { port: 8081 },
  }),
  leavesAlone('a container is left alone while its TCP liveness probe succeeds', web, {
    tcpSocket: { port: 8080 },
    initialDelaySeconds: 1,
  }),
  restartsBy('a container is restarted when nobody speaks gRPC where its liveness probe asks', web, {
    grpc: { port: 8080 },
    initialDelaySeconds: 1,
  }),
  {
    name: 'the count of restarts only grows',
    async run(node) {
      const pod = await probed(node, 'touch /ok; sleep 1; rm /ok; sleep 1000', {
        livenessProbe: { exec: { command: ['cat', '/ok'] }, ...often },
      });
      let last = 0;
      await pod.until(
        'two restarts',
        (now) => {
          const { restartCount } = containerOf(now);
          assert.ok(restartCount >= last, `${restartCount} after ${last}`);
          last = restartCount;
          return restartCount >= 2;
        },
        90_000,
      );
      await pod.delete(0);
    },
  },
  {
    name: 'a startup probe holds the liveness probe back until it succeeds',
    async run(node) {
      const pod = await probed(node, 'sleep 4; touch /started; sleep 1000', {
        startupProbe: { exec: { command: ['test', '-e', '/started'] }, periodSeconds: 1, failureThreshold: 30 },
        livenessProbe: { exec: { command: ['test', '-e', '/started'] }, ...often },
      });
      await pod.until('to have started', (now) => containerOf(now).started);
      await forSomeProbes(node);
      assert.equal(containerOf(await pod.get()).restartCount, 0);
      await pod.delete(0);
    },
  },
  {
    name: 'a container whose startup probe keeps failing is restarted and is never ready',
    async run(node) {
      const pod = await probed(node, forever, {
        startupProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 2 },
      });
      const seen = await restarts(pod);
      assert.equal(isReady(seen), false);
      await pod.delete(0);
    },
  },
  {
    name: 'a pod is ready only after its startup probe',
    async run(node) {
      const pod = await probed(node, 'sleep 3; touch /started; sleep 1000', {
        startupProbe: { exec: { command: ['test', '-e', '/started'] }, periodSeconds: 1, failureThreshold: 30 },
        readinessProbe: { exec: { command: ['true'] }, ...often },
      });
      await pod.until('its start', (now) => containerOf(now).state?.running);
      await pod.until('to be ready', (now) => {
        if (isReady(now)) assert.equal(containerOf(now).started, true);
        return isReady(now);
      });
      await pod.delete(0);
    },
  },
  {
    name: "a liveness probe's own grace period is given instead of the pod's",
    async run(node) {
      const pod = await node.pod({
        terminationGracePeriodSeconds: 600,
        containers: [
          shell('trap "" TERM; while true; do sleep 1; done', {
            livenessProbe: { exec: { command: ['false'] }, ...often, terminationGracePeriodSeconds: 1 },
          }),
        ],
      });
      await restarts(pod);
      await pod.delete(0);
    },
  },
];

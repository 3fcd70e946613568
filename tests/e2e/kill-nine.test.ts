// `kill -9` of any daemon at any moment loses nothing that was answered. Points and victims come from a seed, which the
// test prints: KEDGE_SEED=n runs the same again.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { type KubeAccess, openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { tracesOf } from './harness/host-traces.ts';
import { createParts, type Part, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';
import { seeded } from './harness/seeded.ts';

const configMaps = { group: '', version: 'v1', resource: 'configmaps' };
const pods = { group: '', version: 'v1', resource: 'pods' };
const victims: readonly Part[] = ['apiserver', 'cloudcore', 'edgecore'];
const rounds = 9;
const podCount = 3;

const podOf = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: 'docker.io/library/busybox:1.35',
        imagePullPolicy: 'IfNotPresent',
        command: ['sleep', '100000'],
        envFrom: [{ configMapRef: { name: `of-${name}` } }],
      },
    ],
  },
});

const configMapOf = (name: string, value: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { VALUE: value },
});

describe('kill -9 at random points', () => {
  const seed = Number(process.env['KEDGE_SEED'] ?? 20_261_123);
  const random = seeded(seed);
  /** The last answered value of each name, and later ones that may have been carried out without an answer. */
  const written = new Map<string, { answered: string | undefined; maybe: string[] }>();
  let parts: Parts;
  let access: KubeAccess;

  before(async () => {
    parts = await createParts('kill');
    await parts.startAll();
    access = await openKubeApi(parts.kubeconfig, 'kill-nine');
  });

  after(async () => {
    await access.close();
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  /** Writes without pause, until told to stop, and notes what was answered and what nobody knows about. */
  async function keepWriting(api: KubeApi, stop: AbortSignal): Promise<void> {
    for (let n = 0; !stop.aborted; n++) {
      const name = `written-${n % 40}`;
      const value = String(n);
      const known = written.get(name) ?? { answered: undefined, maybe: [] };
      written.set(name, known);
      try {
        if (known.answered === undefined) await api.create(configMaps, 'default', configMapOf(name, value));
        else {
          const patch = JSON.stringify({ data: { VALUE: value } });
          await api.patch(configMaps, { namespace: 'default', name }, 'merge', patch);
        }
        written.set(name, { answered: value, maybe: [] });
      } catch (error) {
        // An earlier create was carried out without an answer: from now on the name is patched.
        if (isStatus(error, 'AlreadyExists')) known.answered = known.maybe.at(-1);
        else known.maybe.push(value);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  it(`loses no answered write and no pod (seed ${seed})`, { timeout: 300_000 }, async () => {
    for (let n = 0; n < podCount; n++) {
      await access.api.create(configMaps, 'default', configMapOf(`of-pod-${n}`, `value-${n}`));
      await access.api.create(pods, 'default', podOf(`pod-${n}`));
    }
    const stop = new AbortController();
    const writing = keepWriting(access.api, stop.signal);
    for (let round = 0; round < rounds; round++) {
      await new Promise((resolve) => setTimeout(resolve, 100 + random() * 900));
      const victim = victims[Math.floor(random() * victims.length)]!;
      await parts.end(victim, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, random() * 300));
      await parts.start(victim);
    }
    stop.abort();
    await writing;

    const { items } = await access.api.list(configMaps, { namespace: 'default' });
    const stored = new Map(items.map((item) => [item.metadata.name, (item['data'] as { VALUE?: string }).VALUE]));
    const judged = [...written].filter(([, { answered }]) => answered !== undefined);
    assert.ok(judged.length > 10, `only ${judged.length} names were written`);
    for (const [name, { answered, maybe }] of judged) {
      assert.ok(
        [answered, ...maybe].includes(stored.get(name)),
        `${name} is ${stored.get(name)}, answered was ${answered}`,
      );
    }

    await parts.waitReady();
    await eventually(
      'every pod to run',
      async () => {
        const { items: found } = await access.api.list(pods, { namespace: 'default' });
        return (
          found.length === podCount && found.every((pod) => (pod['status'] as { phase?: string }).phase === 'Running')
        );
      },
      90_000,
    ).catch(async (error: unknown) => {
      throw new Error(`${await parts.kubectl('get', 'pods', '-o', 'yaml')}${parts.logs()}`, { cause: error });
    });
    const perPod = 1 + parts.runtime.pauseProcesses;
    assert.equal((await parts.runtime.running()).size, podCount * perPod, 'each container once');
  });

  it('deletes what is deleted meanwhile', { timeout: 120_000 }, async () => {
    for (let n = 0; n < podCount; n++) {
      await access.api.delete(pods, { namespace: 'default', name: `pod-${n}` });
      await parts.end(victims[n % victims.length]!, 'SIGKILL');
      await parts.start(victims[n % victims.length]!);
    }
    await eventually(
      'every pod and container to be gone',
      async () => {
        const { items } = await access.api.list(pods, { namespace: 'default' });
        return items.length === 0 && (await parts.runtime.running()).size === 0;
      },
      90_000,
    ).catch(async (error: unknown) => {
      throw new Error(`${await parts.kubectl('get', 'pods', '-o', 'yaml')}${parts.logs()}`, { cause: error });
    });
  });
});

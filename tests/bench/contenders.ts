// What is measured side by side: our edge on our cloud, on each of its runtimes, and KubeEdge's edgecore on our cloud where PEERS names a folder
// with it. Each has an API, a cloudcore and a container runtime of its own, and its link goes through a counting relay.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeApi } from '@kedge/engine/kube-client';
import { type EdgeRuntime, edgeRuntimes } from '../../apps/kedge/src/edge-runtime.ts';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import type { Kubectl } from '../e2e/harness/kubectl.ts';
import { createParts } from '../e2e/harness/parts.ts';
import { eventually } from '../e2e/harness/run.ts';
import { canRun, createGoEdge } from '../interop/cloud-go-rig.ts';
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts';

export interface Contender {
  readonly name: string;
  readonly api: KubeApi;
  readonly runtimeSocket: string;
  readonly link: CountingProxy;
  /** Process id of the edgecore that was started last. */
  readonly pid: number;
  readonly node: string;
  /** Where mappers register. */
  readonly dmiSocket: string;
  /** Kills edgecore and starts it again, after `meanwhile`; the node may not be Ready yet. */
  restartEdge(meanwhile?: () => Promise<void>): Promise<void>;
  remove(): Promise<void>;
}

export interface ContenderOptions {
  /** Folder of a memory cgroup that edgecore is in. */
  readonly edgeCgroup?: string;
}

const goVersion = 'v1.22.2';

/** Ours, and the Go one where it can run; each call starts one, up to its node being Ready. */
export function contenders(): readonly ((options?: ContenderOptions) => Promise<Contender>)[] {
  const ours = edgeRuntimes.map((runtime) => (options?: ContenderOptions) => ourEdge(runtime, options));
  if (canRun(goVersion)) return [...ours, goEdge];
  console.log(`No baseline: PEERS names no folder with edgecore-${goVersion}.\n`);
  return ours;
}

/** All of them at once. */
export async function openContenders(): Promise<readonly Contender[]> {
  const opened: Contender[] = [];
  try {
    for (const open of contenders()) opened.push(await open());
    return opened;
  } catch (error) {
    for (const contender of opened) await contender.remove();
    throw error;
  }
}

export async function ourEdge(runtime: EdgeRuntime, options: ContenderOptions = {}): Promise<Contender> {
  const parts = await createParts(`bench-${runtime}`, { edgeRuntime: runtime, ...options });
  const link = await startCountingProxy(parts.hubPort);
  const close = async (): Promise<void> => {
    await parts.remove();
    await link.close();
  };
  try {
    parts.routeEdgeThrough(link.port);
    await parts.startAll();
    const access = await openKubeApi(parts.kubeconfig, 'bench', { qps: 1_000 });
    const runtimeSocket = parts.runtime.socket;
    const remove = () => access.close().then(close);
    return {
      name: runtime === 'node' ? 'kedge' : `kedge, ${runtime}`,
      api: access.api,
      runtimeSocket,
      link,
      node: parts.node,
      dmiSocket: parts.layout.edge.dmiSocket,
      get pid() {
        return parts.pid('edgecore');
      },
      async restartEdge(meanwhile) {
        await parts.end('edgecore', 'SIGKILL');
        await meanwhile?.();
        await parts.start('edgecore');
      },
      remove,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function goEdge({ edgeCgroup }: ContenderOptions = {}): Promise<Contender> {
  const parts = await createParts('bench-go');
  const link = await startCountingProxy(parts.hubPort);
  const cleanups: (() => Promise<unknown>)[] = [() => parts.remove(), () => link.close()];
  const close = async (): Promise<void> => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  };
  try {
    await parts.start('apiserver');
    await parts.start('cloudcore');
    const token = await eventually('a join token', () => joinToken(parts.kubectl));
    const directory = await mkdtemp(join(tmpdir(), 'kedge-go-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const edge = await createGoEdge((cleanup) => cleanups.push(cleanup), {
      version: goVersion,
      node: parts.node,
      cloud: {
        ports: { hub: link.port, https: parts.ports.hubHttps },
        token: () => token,
        stop: () => Promise.resolve(),
      },
      directory,
      ...(edgeCgroup === undefined ? {} : { cgroup: edgeCgroup }),
    });
    edge.start();
    await parts.waitReady();
    const access = await openKubeApi(parts.kubeconfig, 'bench', { qps: 1_000 });
    cleanups.push(() => access.close());
    const runtimeSocket = edge.site.socket;
    return {
      name: `KubeEdge ${goVersion}`,
      api: access.api,
      runtimeSocket,
      link,
      node: parts.node,
      dmiSocket: edge.dmiSocket,
      get pid() {
        return edge.pid;
      },
      async restartEdge(meanwhile) {
        await edge.stop();
        await meanwhile?.();
        edge.start();
      },
      remove: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function joinToken(kubectl: Kubectl): Promise<string> {
  const secret = await kubectl.json<{ data: { tokendata: string } }>('get', 'secret', '-n', 'kubeedge', 'tokensecret');
  return Buffer.from(secret.data.tokendata, 'base64').toString('utf8');
}

// `kedge status`: what runs, whether the node is Ready, and the pods; as text or JSON.
import { existsSync } from 'node:fs';
import { explain } from '@kedge/core/errors';
import { containerdPid, containerdSite } from '@kedge/platform/containerd';
import { type EdgeRuntime, runtimeOf } from '../edge-runtime.ts';
import { openKubeApi } from '../kube-access.ts';
import { type SiteLayout, siteLayout, sitePorts } from '../site/layout.ts';
import { liveProcesses } from '../site/pid-files.ts';
import { conditionOf } from '../site/readiness.ts';
import { readSiteState } from '../site/site-state.ts';
import { CommandLineError } from './command-line-error.ts';

interface SiteStatus {
  readonly data: string;
  readonly phase: string;
  /** `runtime`: of edgecore. */
  readonly processes: readonly {
    readonly name: string;
    readonly pid: number;
    readonly runtime?: EdgeRuntime | undefined;
  }[];
  readonly ports: Readonly<Record<string, number>>;
  readonly kubeconfig: string;
  readonly nodes: readonly { readonly name: string; readonly ready: boolean; readonly say: string }[];
  readonly pods: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly phase: string;
    readonly node: string;
  }[];
  /** Why nodes and pods are unknown. */
  readonly problem?: string;
}

export async function status(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const output = values['output'];
  if (output !== undefined && output !== 'json') throw new CommandLineError(`-o ${output}: only json is known`);
  const layout = siteLayout(String(values['data'] ?? './.kedge'));
  if (!existsSync(layout.data)) throw new Error(`there is no site in ${layout.data}`);
  const found = await readStatus(layout);
  process.stdout.write(output === 'json' ? `${JSON.stringify(found, undefined, 2)}\n` : formatStatus(found));
  const up = found.nodes.length > 0 && found.nodes.every(({ ready }) => ready);
  return found.phase === 'ready' && up ? 0 : 1;
}

async function readStatus(layout: SiteLayout): Promise<SiteStatus> {
  const state = await readSiteState(layout);
  const processes: SiteStatus['processes'][number][] = (await liveProcesses(layout.run)).map(({ name, pid }) => ({
    name,
    pid,
    ...(name === 'edgecore' ? { runtime: runtimeOf(pid) } : {}),
  }));
  const runtimePid = existsSync(layout.containerd) ? await containerdPid(containerdSite(layout.containerd)) : undefined;
  if (runtimePid !== undefined) processes.push({ name: 'containerd', pid: runtimePid });
  const supervised = processes.some(({ name }) => name === 'kedge');
  const base = {
    data: layout.data,
    phase: supervised ? (state?.phase ?? 'starting') : processes.length > 0 ? 'unsupervised' : 'stopped',
    processes,
    ports: state ? { ...sitePorts(state.portBase) } : {},
    kubeconfig: layout.kubeconfig,
  };
  try {
    return { ...base, ...(await readCluster(layout)) };
  } catch (error) {
    return { ...base, nodes: [], pods: [], problem: explain(error) };
  }
}

async function readCluster(layout: SiteLayout): Promise<Pick<SiteStatus, 'nodes' | 'pods'>> {
  const { api, close } = await openKubeApi(layout.kubeconfig, 'kedge-status');
  try {
    const nodes = await api.list({ group: '', version: 'v1', resource: 'nodes' });
    const pods = await api.list({ group: '', version: 'v1', resource: 'pods' });
    return {
      nodes: nodes.items.map((node) => {
        const ready = conditionOf(node, 'Ready');
        return { name: node.metadata.name ?? '', ready: ready?.status === 'True', say: ready?.message ?? '' };
      }),
      pods: pods.items.map((pod) => ({
        namespace: pod.metadata.namespace ?? '',
        name: pod.metadata.name ?? '',
        phase: (pod['status'] as { phase?: string } | undefined)?.phase ?? 'Unknown',
        node: (pod['spec'] as { nodeName?: string } | undefined)?.nodeName ?? '',
      })),
    };
  } finally {
    await close();
  }
}

const formatProcess = ({ name, pid, runtime }: SiteStatus['processes'][number]): string =>
  `${name} (${pid}${runtime ? `, ${runtime}` : ''})`;

function formatStatus({ data, phase, processes, nodes, pods, kubeconfig, problem }: SiteStatus): string {
  const lines = [
    `site        ${data}`,
    `state       ${phase}`,
    `processes   ${processes.map(formatProcess).join(', ') || 'none'}`,
    `kubeconfig  ${kubeconfig}`,
    ...(problem ? [`problem     ${problem}`] : []),
    ...nodes.map(({ name, ready, say }) => `node        ${name}: ${ready ? 'Ready' : `not ready (${say})`}`),
    ...pods.map(
      ({ namespace, name, phase: is, node }) => `pod         ${namespace}/${name}: ${is}${node ? ` on ${node}` : ''}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

// Runs a pod on a node, brings its log, and takes it away, also when it is asked to stop: with any edgecore and on any cluster,
// for whoever may create pods there. Decision 0027.
import { type Duration, milliseconds, seconds } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { systemClock } from '@kedge/platform/node';
import { nodePodState } from './node-pod.ts';

export interface RunOnNode {
  readonly api: KubeApi;
  readonly pod: Pod;
  /** The command that does the same on the node itself. */
  readonly instead: string;
  readonly say: (line: string) => void;
}

export interface RanOnNode {
  readonly ok: boolean;
  /** Why not, where the node says so. */
  readonly why: string;
  /** Standard output and standard error. */
  readonly log: string;
}

const pods = { group: '', version: 'v1', resource: 'pods' } as const;
const nodes = { group: '', version: 'v1', resource: 'nodes' } as const;
const look = milliseconds(300);
/** A node that does not take the pod within this time is offline, or its edgecore is. */
const startLimit = seconds(60);

export async function runOnNode(run: RunOnNode, signal: AbortSignal): Promise<RanOnNode> {
  const { api, pod, instead, say } = run;
  const { name = '', namespace = '' } = pod.metadata;
  const node = pod.spec?.nodeName ?? '';
  const container = pod.spec?.containers?.[0]?.name ?? '';
  await requireNode(api, node);
  await api.create(pods, namespace, pod, { signal });
  say(`on node ${node}, in pod ${namespace}/${name} ...`);
  try {
    const { ok, say: why } = await untilEnded(run, signal);
    const { status, body } = await api.raw(`/api/v1/namespaces/${namespace}/pods/${name}/log?container=${container}`, {
      signal,
    });
    if (status !== 200) {
      throw new Error(
        `the pod has ended, and its log cannot be read (HTTP ${status}): without "kubectl logs" for node ${node}, ` +
          `run "${instead}" on the node itself`,
      );
    }
    return { ok, why, log: body };
  } finally {
    await api.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 }).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound')) say(`pod ${namespace}/${name} could not be taken away: ${String(error)}`);
    });
  }
}

async function requireNode(api: KubeApi, name: string): Promise<void> {
  try {
    await api.get(nodes, { name });
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
    throw new Error(`there is no node "${name}": "kubectl get nodes" lists them`, { cause: error });
  }
}

async function untilEnded(
  { api, pod: made }: RunOnNode,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly say: string }> {
  const { name = '', namespace } = made.metadata;
  const { nodeName: node, activeDeadlineSeconds: longest = 0, containers } = made.spec ?? {};
  const begun = systemClock.monotonic();
  for (;;) {
    const pod = (await api.get(pods, { namespace, name }, { signal })) as Pod;
    const state = nodePodState(pod);
    if (state.at === 'ended') return state;
    if (state.at === 'hopeless') {
      throw new Error(
        `node ${node} has no image "${containers?.[0]?.image}" (${state.say}): put it there with "kedge image build" and ` +
          '"ctr images import", or into a registry and name it with --image',
      );
    }
    const waited = (systemClock.monotonic() - begun) as Duration;
    if (pod.status?.phase !== 'Running' && waited > startLimit) {
      throw new Error(
        `node ${node} did not start the pod within ${startLimit / 1_000} s (${state.say}): is it online?${missingFiles(pod)}`,
      );
    }
    // The node ends it in time; one that has gone offline meanwhile does not say so.
    if (waited > startLimit + longest * 1_000) {
      throw new Error(`node ${node} has not said how it ended: is it online?`);
    }
    await systemClock.sleep('the pod on the node', look, signal);
  }
}

/** What a node waits for without a word. */
function missingFiles({ spec }: Pod): string {
  const paths = (spec?.volumes ?? []).flatMap(({ hostPath }) => hostPath?.path ?? []);
  return paths.length === 0 ? '' : ` Has it ${paths.join(', ')}?`;
}

// Annotation `cloudcore` on a Node: which instance serves it. The router of another instance forwards by it.
import type { Log } from '@kedge/core/log';
import { type Clock, seconds } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type NodeName } from '@kedge/model/k8s';

const tries = 3;
const nodes = { group: '', version: 'v1', resource: 'nodes' };

/** Never rejects: a node that is not registered yet gets the annotation when it is. */
export async function markServedBy(
  { clock, log, kube }: { clock: Clock; log: Log; kube: KubeApi },
  node: NodeName,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  const document = JSON.stringify({ metadata: { annotations: { cloudcore: address } } });
  for (let attempt = 1; attempt <= tries && !signal.aborted; attempt++) {
    try {
      await kube.patch(nodes, { name: node }, 'merge', document, { signal });
      return;
    } catch (error) {
      if (signal.aborted || isStatus(error, 'NotFound')) return;
      if (attempt === tries) log.warn('cannot note on the Node which cloudcore serves it', { node, err: error });
      else await clock.sleep('another try to mark a node', seconds(1), signal).catch(() => undefined);
    }
  }
}

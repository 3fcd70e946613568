// Which changes of a Device its node has to hear of. The values it reports itself come back in the status with every
// write; of the status only what people put there matters, which is whether and how often the state is reported.
import type { KubeObject } from '@kedge/model/k8s';
import { type Device, stateReportOf } from '@kedge/model/kubeedge';

/** Equal texts: the node has nothing to learn. */
export function significance(object: KubeObject): string {
  const { labels, annotations = {}, deletionTimestamp } = object.metadata;
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...ours } = annotations;
  return JSON.stringify([object['spec'], stateReportOf(object as Device), labels, ours, deletionTimestamp]);
}

// Which objects a list or watch is about. Any field can be selected on, unlike in a real API.
import type { Selection } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import {
  everything,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '@kedge/model/k8s-selectors';

export function selectionFilter({
  namespace,
  labelSelector,
  fieldSelector,
}: Selection): (object: KubeObject) => boolean {
  const labels = labelSelector ? parseLabelSelector(labelSelector) : everything;
  const fields = fieldSelector ? parseFieldSelector(fieldSelector) : [];
  return (object) =>
    (!namespace || object.metadata.namespace === namespace) &&
    matchesLabels(labels, object.metadata.labels) &&
    matchesFields(fields, (path) => textAt(object, path));
}

function textAt(object: unknown, path: string): string {
  let at: unknown = object;
  for (const field of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[field];
  return at === undefined || at === null ? '' : String(at);
}

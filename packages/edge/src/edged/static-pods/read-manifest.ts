// A pod out of a manifest on the node: named after the node, known by what is in the file, and by where it is. Pure.
// Source: "Create static Pods" in the Kubernetes documentation.
import { defaultPod } from '@kedge/model/k8s-defaults';
import type { Pod } from '@kedge/model/k8s-types';
import { parse } from 'yaml';

export const configSource = 'kubernetes.io/config.source';
export const configHash = 'kubernetes.io/config.hash';
const configSeen = 'kubernetes.io/config.seen';

const longestManifest = 1 << 20;

/** A string says what is wrong with it. */
export function readManifest(text: string, path: string, node: string, seenAt: string): Pod | string {
  if (text.length > longestManifest) return `is over ${longestManifest} bytes`;
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    return `is neither YAML nor JSON: ${(error as Error).message.split('\n')[0]}`;
  }
  const { kind, apiVersion, metadata, spec } = (document ?? {}) as Partial<Pod>;
  if (kind !== 'Pod' || apiVersion !== 'v1') return 'is not a Pod of v1';
  if (!metadata?.name) return 'has no metadata.name';
  if (!spec?.containers || spec.containers.length === 0) return 'has no containers';
  if (spec.serviceAccountName) return 'names a service account: a static pod has none';
  const uid = hashOf(`${node}\n${path}\n${text}`);
  // No API has filled in what the manifest leaves open.
  return defaultPod({
    apiVersion,
    kind,
    metadata: {
      ...metadata,
      name: `${metadata.name}-${node}`,
      namespace: metadata.namespace ?? 'default',
      uid,
      annotations: { ...metadata.annotations, [configSource]: 'file', [configHash]: uid, [configSeen]: seenAt },
    },
    spec: {
      ...spec,
      nodeName: node,
      // What the node runs of its own accord does not go because the cloud thinks ill of the node.
      tolerations: [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
    },
  });
}

/** 128 bits that differ when the text does: a name, not a proof. */
function hashOf(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return [0x811c9dc5, 0x01000193, 0x9e3779b9, 0x7f4a7c15]
    .map((seed) => {
      let hash = seed;
      for (const byte of bytes) {
        hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
        hash = (hash ^ (hash >>> 15)) >>> 0;
      }
      return hash.toString(16).padStart(8, '0');
    })
    .join('');
}

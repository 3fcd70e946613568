// Namespaces.
import { checkDns1123Label, checkQualifiedName, invalidField } from '../k8s/index.ts';
import type { Namespace } from '../k8s-types/index.ts';
import { createRules } from './kind-rules.ts';

const nameLabel = 'kubernetes.io/metadata.name';

export const namespaceRules = createRules<Namespace>({
  checkName: checkDns1123Label,
  // The label lets selectors of namespaces name one; it follows the name whatever a client writes.
  defaults: (namespace) => {
    const { name, labels } = namespace.metadata;
    return name
      ? { ...namespace, metadata: { ...namespace.metadata, labels: { ...labels, [nameLabel]: name } } }
      : namespace;
  },
  prepareCreate: (namespace) => ({
    ...namespace,
    metadata: {
      ...namespace.metadata,
      labels: { ...namespace.metadata.labels, [nameLabel]: namespace.metadata.name ?? '' },
    },
    spec: { ...namespace.spec, finalizers: [...new Set([...(namespace.spec?.finalizers ?? []), 'kubernetes'])] },
    status: { phase: 'Active' },
  }),
  // Finalizers end through the finalize subresource only.
  prepareUpdate: (namespace, old) => ({ ...namespace, ...(old.spec ? { spec: old.spec } : {}) }),
  validate: ({ spec }) =>
    (spec?.finalizers ?? []).flatMap((name) =>
      checkFinalizer(name).map((sentence) => invalidField('spec.finalizers', name, sentence)),
    ),
});

const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion'];

function checkFinalizer(name: string): string[] {
  const sentences = checkQualifiedName(name);
  return sentences.length > 0 || name.includes('/') || standardFinalizers.includes(name)
    ? [...sentences, ...(sentences.length > 0 && !name.includes('/') ? [unqualified] : [])]
    : [unqualified];
}

const unqualified = 'name is neither a standard finalizer name nor is it fully qualified';

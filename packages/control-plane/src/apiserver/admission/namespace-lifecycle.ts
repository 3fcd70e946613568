// Objects live only in namespaces that exist and are not going away; the system's own namespaces stay.
import { fail } from '@kedge/model/k8s';
import type { KubeObject } from '@kedge/model/k8s';
import type { AdmissionStep } from './admission.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

/** Throws when nothing can be created in the namespace. */
export function demandNamespace(namespace: string, read: (name: string) => KubeObject | undefined, what: string): void {
  const object = read(namespace);
  if (!object) throw fail('NotFound', `namespaces "${namespace}" not found`, { name: namespace, kind: 'namespaces' });
  if (!object.metadata.deletionTimestamp) return;
  throw fail(
    'Forbidden',
    `${what} is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    {
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  );
}

export const namespaceLifecycle = (read: (name: string) => KubeObject | undefined): AdmissionStep => ({
  name: 'NamespaceLifecycle',
  admit({ operation, kind, namespace, name, subresource }) {
    if (operation === 'delete' && kind.collection === 'namespaces' && immortal.has(name)) {
      throw fail('Forbidden', `namespaces "${name}" is forbidden: this namespace may not be deleted`, {
        name,
        kind: 'namespaces',
      });
    }
    // Pods of a namespace that goes are still bound, evicted and given tokens.
    if (operation !== 'create' || namespace === undefined || subresource !== undefined) return;
    const { group, resource } = kind.served;
    demandNamespace(namespace, read, `${group ? `${resource}.${group}` : resource} "${name}"`);
  },
});

// A node's agent writes only what is its own: its Node, and pods that are bound to it.
import { fail } from '@kedge/model/k8s';
import type { PodSpec } from '@kedge/model/k8s-types';
import { nodeOf } from '../authz/node-authorizer.ts';
import type { AdmissionStep } from './admission.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';

export const nodeRestriction: AdmissionStep = {
  name: 'NodeRestriction',
  admit({ operation, kind, name, object, before, user }) {
    const node = nodeOf(user);
    if (node === undefined) return;
    const refuse = (why: string): never => {
      throw fail('Forbidden', `${kind.served.resource} "${name}" is forbidden: node "${node}" ${why}`, {
        name,
        kind: kind.served.resource,
      });
    };
    if (kind.collection === 'nodes' && name !== node) refuse(`is not allowed to modify node "${name}"`);
    if (kind.collection === 'pods') {
      const bound = ((before ?? object)?.['spec'] as PodSpec | undefined)?.nodeName;
      if (bound !== node) refuse('can only write pods with spec.nodeName set to itself');
      if (operation === 'create' && object?.metadata.annotations?.[mirrorAnnotation] === undefined)
        refuse('can only create mirror pods');
    }
  },
};

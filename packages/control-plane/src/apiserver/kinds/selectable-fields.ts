// Which fields of which kinds can be selected by (`--field-selector`).
import type { ReadField } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';

/** The text of a field; '' where the object has none. */
function fieldText(object: KubeObject, path: readonly string[]): string {
  let at: unknown = object;
  for (const name of path)
    at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[name] : undefined;
  if (typeof at === 'string') return at;
  return at === undefined || at === null ? '' : String(at);
}

const reader = (path: string): ((object: KubeObject) => string) => {
  const names = path.split('.');
  return (object) => fieldText(object, names);
};

const involved = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

const table: Readonly<Record<string, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  nodes: ['spec.unschedulable'],
  namespaces: ['status.phase'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type'],
  replicationcontrollers: ['status.replicas'],
  'replicasets.apps': ['status.replicas'],
  'jobs.batch': ['status.successful'],
  'certificatesigningrequests.certificates.k8s.io': ['spec.signerName'],
  events: [
    ...involved.flatMap((field) => [`involvedObject.${field}`, `regarding.${field}`]),
    'reason',
    'reportingComponent',
    'reportingController',
    'source',
    'type',
  ],
};

/** Fields that are false or absent are `false` to a selector. */
const booleans = new Set(['spec.unschedulable', 'spec.hostNetwork']);

function createReaders(paths: readonly string[]): ReadField {
  const readers = new Map(paths.map((path) => [path, special(path) ?? reader(path)]));
  return (path) => readers.get(path);
}

function special(path: string): ((object: KubeObject) => string) | undefined {
  if (booleans.has(path)) {
    const read = reader(path);
    return (object) => read(object) || 'false';
  }
  // The component of a core event is its reporting component where the old field is empty.
  if (path === 'source') {
    const [old, now] = [reader('source.component'), reader('reportingComponent')];
    return (object) => old(object) || now(object);
  }
  return undefined;
}

const always = ['metadata.name', 'metadata.namespace'];

export const builtinFields = (collection: string): ReadField =>
  createReaders([...always, ...(table[collection] ?? [])]);

/** `selectableFields` of a custom resource, given as JSON paths such as `.spec.color`. */
export const customFields = (jsonPaths: readonly string[]): ReadField =>
  createReaders([...always, ...jsonPaths.map((path) => path.replace(/^\./, ''))]);

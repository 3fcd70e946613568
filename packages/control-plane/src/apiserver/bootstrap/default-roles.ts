// The roles every cluster has, and who holds them: what administrators, editors and viewers may do, and what the system's
// own parts need. The rules are data of their own.
import type { KubeObject } from '@kedge/model/k8s';
import type { PolicyRule } from '@kedge/model/k8s-types';
import { clusterRoleRules, roleRules } from '../authz/default-role-table.ts';

const group = 'rbac.authorization.k8s.io';
const apiVersion = `${group}/v1`;
/** Put right at every start, unless somebody sets the annotation to "false". */
export const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';
const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const annotations = { [autoUpdate]: 'true' };

const words = (text = ''): string[] => text.trim().split(' ');

export function ruleOf(text: string): PolicyRule {
  const [verbs, what, groups, names] = text.split('|');
  if (groups === undefined) return { nonResourceURLs: words(what), verbs: words(verbs) };
  return {
    apiGroups: words(groups).map((one) => (one === 'core' ? '' : one)),
    resources: words(what),
    ...(names === undefined ? {} : { resourceNames: words(names) }),
    verbs: words(verbs),
  };
}

/** What a role hands on to which of the three roles for people. */
const partOf: Readonly<Record<string, readonly string[]>> = {
  'system:aggregate-to-admin': ['admin'],
  'system:aggregate-to-edit': ['edit'],
  'system:aggregate-to-view': ['view'],
  // As the metrics-server's manifests have it: whoever may view a namespace may use `kubectl top` there.
  'system:aggregated-metrics-reader': ['view', 'edit', 'admin'],
  edit: ['admin'],
  view: ['edit'],
};
const partLabel = (of: string): string => `${group}/aggregate-to-${of}`;

function clusterRole(name: string, rules: readonly string[]): KubeObject {
  const handedOn = Object.fromEntries((partOf[name] ?? []).map((of) => [partLabel(of), 'true']));
  return {
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name, labels: { ...labels, ...handedOn }, annotations },
    rules: rules.map(ruleOf),
  };
}

const forPeople = ['admin', 'edit', 'view'].map((name): KubeObject => ({
  ...clusterRole(name, []),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [partLabel(name)]: 'true' } }] },
}));

export const defaultClusterRoles = (): readonly KubeObject[] => [
  ...Object.entries(clusterRoleRules).map(([name, rules]) => clusterRole(name, rules)),
  ...forPeople,
];

const placed = (key: string): { namespace: string; name: string } => {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
};

export const defaultRoles = (): readonly KubeObject[] =>
  Object.entries(roleRules).map(([key, rules]) => ({
    apiVersion,
    kind: 'Role',
    metadata: { ...placed(key), labels, annotations },
    rules: rules.map(ruleOf),
  }));

type Subject = { readonly kind: string; readonly name: string; readonly namespace?: string };
const everybody = (name: string): Subject => ({ kind: 'Group', name });
const user = (name: string): Subject => ({ kind: 'User', name });
const account = (name: string): Subject => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' });
const authenticated = everybody('system:authenticated');

/** Bindings are called after the role they bind, unless they say otherwise. */
const holders: readonly [role: string, subjects: readonly Subject[]][] = [
  ['cluster-admin', [everybody('system:masters')]],
  ['system:basic-user', [authenticated]],
  ['system:discovery', [authenticated]],
  ['system:public-info-viewer', [authenticated, everybody('system:unauthenticated')]],
  ['system:monitoring', [everybody('system:monitoring')]],
  ['system:service-account-issuer-discovery', [everybody('system:serviceaccounts')]],
  ['system:kube-controller-manager', [user('system:kube-controller-manager')]],
  ['system:kube-dns', [account('kube-dns')]],
  ['system:kube-scheduler', [user('system:kube-scheduler')]],
  ['system:volume-scheduler', [user('system:kube-scheduler')]],
  ['system:node-proxier', [user('system:kube-proxy')]],
  // Nodes are told apart by the node authorizer; the binding is there for whoever looks for it.
  ['system:node', []],
];

const controllerPrefix = 'system:controller:';

function binding(
  metadata: KubeObject['metadata'],
  roleKind: string,
  role: string,
  subjects: readonly Subject[],
): KubeObject {
  return {
    apiVersion,
    kind: metadata.namespace ? 'RoleBinding' : 'ClusterRoleBinding',
    metadata: { ...metadata, labels, annotations },
    roleRef: { apiGroup: group, kind: roleKind, name: role },
    subjects: subjects.map((subject) =>
      subject.kind === 'ServiceAccount' ? { ...subject } : { apiGroup: group, ...subject },
    ),
  };
}

export const defaultClusterRoleBindings = (): readonly KubeObject[] => [
  ...holders.map(([role, subjects]) => binding({ name: role }, 'ClusterRole', role, subjects)),
  ...Object.keys(clusterRoleRules)
    .filter((name) => name.startsWith(controllerPrefix))
    .map((name) => binding({ name }, 'ClusterRole', name, [account(name.slice(controllerPrefix.length))])),
];

const leaders = ['kube-controller-manager', 'kube-scheduler'];

export const defaultRoleBindings = (): readonly KubeObject[] => [
  binding(
    { namespace: 'kube-system', name: 'system::extension-apiserver-authentication-reader' },
    'Role',
    'extension-apiserver-authentication-reader',
    leaders.map((name) => user(`system:${name}`)),
  ),
  ...leaders.map((name) =>
    binding(
      { namespace: 'kube-system', name: `system::leader-locking-${name}` },
      'Role',
      `system::leader-locking-${name}`,
      [user(`system:${name}`), account(name)],
    ),
  ),
  ...Object.keys(roleRules)
    .map(placed)
    .filter(({ name }) => name.startsWith(controllerPrefix))
    .map(({ namespace, name }) =>
      binding({ namespace, name }, 'Role', name, [account(name.slice(controllerPrefix.length))]),
    ),
];

// The custom resources that a Go cloudcore wants to find, whether it uses them or not.
import { builtinResources, type ResourceInfo } from '@kedge/model/k8s-resources';

const custom = (group: string, version: string, kind: string, namespaced: boolean): ResourceInfo => ({
  group,
  version,
  kind,
  resource: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  namespaced,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  shortNames: [],
  categories: [],
  subresources: { status: { group, version, kind, verbs: ['get', 'patch', 'update'] } },
});

export const customResources: readonly ResourceInfo[] = [
  custom('reliablesyncs.kubeedge.io', 'v1alpha1', 'ObjectSync', true),
  custom('reliablesyncs.kubeedge.io', 'v1alpha1', 'ClusterObjectSync', false),
  custom('devices.kubeedge.io', 'v1beta1', 'Device', true),
  custom('devices.kubeedge.io', 'v1beta1', 'DeviceModel', true),
  custom('devices.kubeedge.io', 'v1beta1', 'DeviceStatus', true),
  custom('rules.kubeedge.io', 'v1', 'Rule', true),
  custom('rules.kubeedge.io', 'v1', 'RuleEndpoint', true),
  custom('operations.kubeedge.io', 'v1alpha2', 'NodeUpgradeJob', false),
  custom('operations.kubeedge.io', 'v1alpha2', 'ImagePrePullJob', false),
  custom('operations.kubeedge.io', 'v1alpha2', 'ConfigUpdateJob', false),
  custom('apps.kubeedge.io', 'v1alpha1', 'NodeGroup', false),
  custom('apps.kubeedge.io', 'v1alpha1', 'EdgeApplication', true),
  custom('policy.kubeedge.io', 'v1alpha1', 'ServiceAccountAccess', true),
].map((info) => (info.resource === 'devicestatuss' ? { ...info, resource: 'devicestatuses' } : info));

export const allResources: readonly ResourceInfo[] = [...builtinResources, ...customResources];

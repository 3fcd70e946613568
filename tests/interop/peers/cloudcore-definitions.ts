// The custom resources that a Go cloudcore waits for before it serves edges, whether it uses them or not.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { systemClock } from '@kedge/platform/node';
import { seconds } from '@kedge/core/time';

const definitions = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

type Scope = 'Namespaced' | 'Cluster';

const kinds: readonly [group: string, version: string, kind: string, plural: string, scope: Scope][] = [
  ['reliablesyncs.kubeedge.io', 'v1alpha1', 'ObjectSync', 'objectsyncs', 'Namespaced'],
  ['reliablesyncs.kubeedge.io', 'v1alpha1', 'ClusterObjectSync', 'clusterobjectsyncs', 'Cluster'],
  ['devices.kubeedge.io', 'v1beta1', 'Device', 'devices', 'Namespaced'],
  ['devices.kubeedge.io', 'v1beta1', 'DeviceModel', 'devicemodels', 'Namespaced'],
  ['devices.kubeedge.io', 'v1beta1', 'DeviceStatus', 'devicestatuses', 'Namespaced'],
  ['rules.kubeedge.io', 'v1', 'Rule', 'rules', 'Namespaced'],
  ['rules.kubeedge.io', 'v1', 'RuleEndpoint', 'ruleendpoints', 'Namespaced'],
  ['operations.kubeedge.io', 'v1alpha2', 'NodeUpgradeJob', 'nodeupgradejobs', 'Cluster'],
  ['operations.kubeedge.io', 'v1alpha2', 'ImagePrePullJob', 'imageprepulljobs', 'Cluster'],
  ['operations.kubeedge.io', 'v1alpha2', 'ConfigUpdateJob', 'configupdatejobs', 'Cluster'],
];

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

const definitionOf = ([group, version, kind, plural, scope]: (typeof kinds)[number]): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope,
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: anything, status: anything } } },
        subresources: { status: {} },
      },
    ],
  },
});

export async function installCloudCoreDefinitions(kube: KubeApi): Promise<void> {
  for (const kind of kinds) {
    const definition = definitionOf(kind);
    await kube.create(definitions, undefined, definition);
    while (!(await isServed(kube, definition.metadata.name ?? ''))) {
      await systemClock.sleep('definition to be served', seconds(0.05));
    }
  }
}

async function isServed(kube: KubeApi, name: string): Promise<boolean> {
  const { status } = (await kube.get(definitions, { name })) as {
    status?: { conditions?: { type: string; status: string }[] };
  };
  return status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True') ?? false;
}

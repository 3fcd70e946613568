// The CustomResourceDefinitions of reliablesyncs.kubeedge.io, with the fields that KubeEdge v1.22 has.

const group = 'reliablesyncs.kubeedge.io';

const schema = {
  type: 'object',
  description: 'What an edge node is known to have of one object.',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: {
      type: 'object',
      properties: {
        objectAPIVersion: { type: 'string', description: 'API version of the object.' },
        objectKind: { type: 'string', description: 'Kind of the object.' },
        objectName: { type: 'string', description: 'Name of the object.' },
      },
    },
    status: {
      type: 'object',
      properties: {
        objectResourceVersion: {
          type: 'string',
          description: 'The newest version that the node has acknowledged.',
        },
      },
    },
  },
} as const;

function definition(plural: string, kind: string, scope: 'Namespaced' | 'Cluster') {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      scope,
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: { status: {} },
        },
      ],
    },
  };
}

export const reliableSyncDefinitions = [
  definition('objectsyncs', 'ObjectSync', 'Namespaced'),
  definition('clusterobjectsyncs', 'ClusterObjectSync', 'Cluster'),
];

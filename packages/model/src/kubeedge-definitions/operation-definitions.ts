// operations.kubeedge.io: NodeUpgradeJob, in both versions that KubeEdge serves.
import { definition, flag, int, kindOf, labelSelector, list, object, type Properties, text } from './schema-parts.ts';

const group = 'operations.kubeedge.io';

const spec = (digests: Properties) =>
  object({
    version: text('The version to go to, such as v1.22.2.'),
    image: text('The image that holds it, without a tag.'),
    imageDigestGatter: object({
      ...digests,
      registryAPI: object({ host: text(), token: text() }, { required: ['host', 'token'] }),
    }),
    nodeNames: list(text()),
    labelSelector,
    timeoutSeconds: int('int32'),
    concurrency: int('int32', 'Nodes at a time.'),
    checkItems: list(text('cpu, mem or disk.')),
    failureTolerate: text('The part of the nodes that may fail, such as 0.1.'),
    requireConfirmation: flag('Whether the node waits for a confirmation.'),
  });

const deprecated = { state: text(), event: text(), action: text(), reason: text(), time: text() };
const versions = { currentVersion: text(), historicVersion: text() };

export const operationDefinitions = [
  definition({
    group,
    kind: 'NodeUpgradeJob',
    plural: 'nodeupgradejobs',
    scope: 'Cluster',
    versions: [
      {
        name: 'v1alpha1',
        storage: false,
        hasStatus: true,
        schema: kindOf('Upgrades edge nodes.', {
          spec: spec({ value: text() }),
          status: object({ ...deprecated, ...versions, nodeStatus: list(object({ nodeName: text(), ...deprecated })) }),
        }),
      },
      {
        name: 'v1alpha2',
        storage: true,
        hasStatus: true,
        schema: kindOf('Upgrades edge nodes.', {
          spec: spec({ amd64: text(), arm64: text() }),
          status: object(
            {
              ...deprecated,
              ...versions,
              phase: text('Init, InProgress, Completed or Failure.'),
              nodeStatus: list(
                object({
                  nodeName: text(),
                  phase: text('Pending, InProgress, Successful, Failure or Unknown.'),
                  reason: text(),
                  state: text(),
                  event: text(),
                  ...versions,
                  actionFlow: list(object({ action: text(), status: text(), reason: text(), time: text() })),
                }),
              ),
            },
            { required: ['phase'] },
          ),
        }),
      },
    ],
  }),
];

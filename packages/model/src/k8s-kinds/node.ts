// Nodes.
import { duplicateField, forbiddenField, invalidField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { isCidr } from '../k8s-schema/index.ts';
import type { Node, NodeSpec, NodeStatus } from '../k8s-types/index.ts';
import { repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { checkAmount } from './resource-checks.ts';
import { checkTaints } from './scheduling-checks.ts';

export const nodeRules = createRules<Node>({
  defaults: (node) => ({
    ...node,
    ...(node.spec ? { spec: defaultRanges(node.spec) } : {}),
    ...(node.status ? { status: defaultStatus(node.status) } : {}),
  }),
  validate: ({ spec, status }) => [
    ...checkTaints(spec?.taints ?? [], 'metadata.taints'),
    ...(spec?.podCIDRs ?? []).flatMap((range, at) =>
      isCidr(range)
        ? []
        : [
            invalidField(
              `spec.podCIDRs[${at}]`,
              range,
              'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
            ),
          ],
    ),
    ...checkStatus(status),
  ],
  validateUpdate: ({ spec }, { spec: old }) => [
    ...(old?.podCIDRs?.length && !jsonEqual(spec?.podCIDRs, old.podCIDRs)
      ? [forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')]
      : []),
    ...(old?.providerID && spec?.providerID !== old.providerID
      ? [forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid')]
      : []),
  ],
});

/** The one range and the list say the same. */
function defaultRanges({ podCIDR, podCIDRs, ...rest }: NodeSpec): NodeSpec {
  const ranges = podCIDRs?.length ? podCIDRs : podCIDR ? [podCIDR] : [];
  return ranges.length > 0 ? { ...rest, podCIDR: podCIDR || ranges[0]!, podCIDRs: ranges } : rest;
}

const defaultStatus = (status: NodeStatus): NodeStatus =>
  status.capacity && !status.allocatable ? { ...status, allocatable: status.capacity } : status;

function checkStatus(status: NodeStatus | undefined): FieldError[] {
  const addresses = status?.addresses ?? [];
  return [
    ...Object.entries(status?.capacity ?? {}).flatMap(([name, text]) =>
      checkAmount(name, text, `status.capacity[${name}]`),
    ),
    ...Object.entries(status?.allocatable ?? {}).flatMap(([name, text]) =>
      checkAmount(name, text, `status.allocatable[${name}]`),
    ),
    ...repeated(addresses, ({ type, address }) => `${type} ${address}`).map((at) =>
      duplicateField(`status.addresses[${at}]`, addresses[at]),
    ),
  ];
}

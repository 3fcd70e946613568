// How nodes are printed.
import type { Node } from '@kedge/model/k8s-types';
import { ageColumn, type Column, joined, nameColumn, none, text } from './cells.ts';

const rolePrefix = 'node-role.kubernetes.io/';

export const nodeColumns: Column<Node>[] = [
  nameColumn as unknown as Column<Node>,
  text('Status', nodeStatus),
  text('Roles', ({ metadata }) => {
    const labels = Object.entries(metadata?.labels ?? {});
    const roles = labels.flatMap(([key, value]) =>
      key.startsWith(rolePrefix) ? [key.slice(rolePrefix.length)] : key === 'kubernetes.io/role' ? [value] : [],
    );
    return joined([...new Set(roles)].sort());
  }),
  ageColumn as unknown as Column<Node>,
  text('Version', ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''),
  text('Internal-IP', (node) => addressOf(node, 'InternalIP'), 1),
  text('External-IP', (node) => addressOf(node, 'ExternalIP'), 1),
  text('OS-Image', ({ status }) => status?.nodeInfo?.osImage || '<unknown>', 1),
  text('Kernel-Version', ({ status }) => status?.nodeInfo?.kernelVersion || '<unknown>', 1),
  text('Container-Runtime', ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>', 1),
];

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const word = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return spec?.unschedulable ? `${word},SchedulingDisabled` : word;
}

const addressOf = ({ status }: Node, type: string): string =>
  status?.addresses?.find((address) => address.type === type)?.address ?? none;

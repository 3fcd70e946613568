// Pods that ask for it stay on a node that cannot be reached: the cluster does not move them to another one.
import { allow, isEqual, type Reviewer } from './verdict.ts';

const unreachable = 'node.kubernetes.io/unreachable';

const forEver = { key: unreachable, operator: 'Exists' };

interface Toleration {
  readonly key?: string;
}

export const tolerateOffline: Reviewer = async ({ object, operation }) => {
  if (!object || (operation !== 'CREATE' && operation !== 'UPDATE')) return allow;
  const { tolerations } = (object['spec'] ?? {}) as { tolerations?: readonly Toleration[] };
  const has = (tolerations ?? []).filter(({ key }) => key === unreachable);
  if (has.length === 1 && isEqual(has[0], forEver)) return allow;
  const others = (tolerations ?? []).filter(({ key }) => key !== unreachable);
  const value = [...others, forEver];
  const op = tolerations === undefined ? 'add' : 'replace';
  return { allowed: true, patch: [{ op, path: '/spec/tolerations', value }] };
};

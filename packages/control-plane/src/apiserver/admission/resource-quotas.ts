// Quotas: what is created, or grows, is charged to every quota that covers it, before it is written. A charge for a write
// that fails after all is given back when the quota is counted anew.
import { fail, type KubeObject } from '@kedge/model/k8s';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  subtractQuantities,
  zeroQuantity,
} from '@kedge/model/k8s-quantity';
import { formatUsage, quotaCovers, quotaUsage, unspecified, type Usage } from '@kedge/model/k8s-quota';
import type { Pod, ResourceQuota } from '@kedge/model/k8s-types';
import type { Call } from '@kedge/engine/kube-api';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';

export interface QuotaDeps {
  quotasIn(namespace: string): readonly KubeObject[];
  /** Writes a status made from the newest state; `make` is called again when somebody else was faster. */
  charge(
    namespace: string,
    name: string,
    make: (quota: ResourceQuota) => NonNullable<ResourceQuota['status']>,
    call: Call,
  ): Promise<void>;
}

export const resourceQuotas = ({ quotasIn, charge }: QuotaDeps): AdmissionStep => ({
  name: 'ResourceQuota',
  async validate(request, call) {
    const { operation, namespace, object, subresource, dryRun } = request;
    if (operation === 'delete' || namespace === undefined || !object) return;
    if (subresource !== undefined && subresource !== 'resize') return;
    for (const found of quotasIn(namespace)) {
      const quota = found as unknown as ResourceQuota;
      const growth = growthFor(request, quota);
      if (growth.size === 0) continue;
      const { name = '' } = quota.metadata;
      if (dryRun) charged(request, quota, growth);
      else await charge(namespace, name, (newest) => charged(request, newest, growth), call);
    }
  },
});

/** What the write adds to what the quota limits. */
function growthFor({ kind, object, before, operation, name }: AdmissionRequest, quota: ResourceQuota): Usage {
  const hard = quota.spec?.hard ?? {};
  if (!object || !quotaCovers(quota, kind.served, object)) return new Map();
  const after = quotaUsage(kind.served, object);
  const was = before && quotaCovers(quota, kind.served, before) ? quotaUsage(kind.served, before) : undefined;
  if (kind.collection === 'pods' && operation === 'create') {
    const open = unspecified(hard, object as unknown as Pod);
    if (open.length > 0)
      throw refused(kind.served, name, `failed quota: ${quota.metadata.name}: must specify ${open.join('; ')}`);
  }
  const growth = new Map<string, Quantity>();
  for (const [limited, amount] of after) {
    const more = subtractQuantities(amount, was?.get(limited) ?? zeroQuantity);
    if (hard[limited] !== undefined && compareQuantities(more, zeroQuantity) > 0) growth.set(limited, more);
  }
  return growth;
}

function charged(
  { kind, name }: AdmissionRequest,
  quota: ResourceQuota,
  growth: Usage,
): NonNullable<ResourceQuota['status']> {
  const hard = quota.spec?.hard ?? {};
  const used = new Map(
    Object.entries(quota.status?.used ?? {}).map(([of, text]) => [of, parseQuantity(text) ?? zeroQuantity]),
  );
  const after = new Map([...growth].map(([of, more]) => [of, addQuantities(used.get(of) ?? zeroQuantity, more)]));
  const limits = new Map(Object.entries(hard).map(([of, text]) => [of, parseQuantity(text) ?? zeroQuantity]));
  const over = [...after]
    .filter(([of, sum]) => compareQuantities(sum, limits.get(of)!) > 0)
    .map(([of]) => of)
    .sort();
  if (over.length > 0) {
    const numbers = `requested: ${formatUsage(growth, over)}, used: ${formatUsage(used, over)}, limited: ${formatUsage(limits, over)}`;
    throw refused(kind.served, name, `exceeded quota: ${quota.metadata.name}, ${numbers}`);
  }
  const written = Object.fromEntries([...after].map(([of, sum]) => [of, formatQuantity(sum)]));
  return { hard, ...quota.status, used: { ...quota.status?.used, ...written } };
}

const refused = ({ resource, group }: { resource: string; group: string }, name: string, why: string): Error =>
  fail('Forbidden', `${group ? `${resource}.${group}` : resource} "${name}" is forbidden: ${why}`, {
    name,
    ...(group ? { group } : {}),
    kind: resource,
  });

// The difference between two pod statuses as a strategic merge patch of the status subresource. The kubelet sends the
// difference too: it is a tenth of the whole, and conditions that others own stay theirs.
import type { PodStatus } from '@kedge/model/k8s-types';

/** Lists that Kubernetes would merge by key, though each belongs to one owner as a whole. */
const replacedLists: ReadonlySet<string> = new Set(['podIPs', 'hostIPs']);
/** Fields that disappear when they no longer apply. */
const clearedFields = ['reason', 'message', 'resize'] as const;
const clearedInConditions = ['reason', 'message'] as const;

/** Undefined when the cloud has it all already. */
export function podStatusPatch(uid: string, known: PodStatus | undefined, next: PodStatus): string | undefined {
  const status: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(next)) {
    const before = known?.[field as keyof PodStatus];
    if (field === 'conditions') {
      const changed = changedConditions(known?.conditions, next.conditions);
      if (changed.length > 0) status[field] = changed;
    } else if (!isEqual(before, value)) {
      status[field] =
        replacedLists.has(field) && before !== undefined ? [{ $patch: 'replace' }, ...(value as unknown[])] : value;
    }
  }
  for (const field of clearedFields) if (known?.[field] && !next[field]) status[field] = null;
  return Object.keys(status).length === 0 ? undefined : JSON.stringify({ metadata: { uid }, status });
}

/** Conditions are merged field by field: what one no longer has is taken from it by a null. */
function changedConditions(known: PodStatus['conditions'] = [], next: PodStatus['conditions'] = []): object[] {
  return next.flatMap((condition) => {
    const before = known.find(({ type }) => type === condition.type);
    if (isEqual(before, condition)) return [];
    const gone = clearedInConditions.filter((field) => before?.[field] && !condition[field]);
    return [{ ...condition, ...Object.fromEntries(gone.map((field) => [field, null])) }];
  });
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return (a ?? null) === (b ?? null);
  const fieldsOf = (value: object) =>
    Object.entries(value).filter(([, field]) => field !== undefined && field !== null);
  const ours = fieldsOf(a);
  const theirs = Object.fromEntries(fieldsOf(b));
  return (
    Array.isArray(a) === Array.isArray(b) &&
    ours.length === Object.keys(theirs).length &&
    ours.every(([field, value]) => isEqual(value, theirs[field]))
  );
}

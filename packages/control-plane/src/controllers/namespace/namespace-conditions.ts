// How the emptying of a namespace went, as its conditions. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import type { NamespaceCondition } from '@kedge/model/k8s-types';

/** The outcome of one attempt to empty a namespace. */
export interface Emptying {
  /** Sentences about groups that could not be discovered. */
  readonly undiscovered: readonly string[];
  /** Sentences about deletions that were refused. */
  readonly failures: readonly string[];
  /** Objects that are still there, by resource as users write it (`pods.`, `deployments.apps`). */
  readonly remaining: ReadonlyMap<string, number>;
  /** Objects that wait for a finalizer, by finalizer. */
  readonly finalizers: ReadonlyMap<string, number>;
}

export function namespaceConditions(
  before: readonly NamespaceCondition[],
  { undiscovered, failures, remaining, finalizers }: Emptying,
  now: Instant,
): NamespaceCondition[] {
  const list = (counts: ReadonlyMap<string, number>, say: (name: string, count: number) => string) =>
    [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => say(name, count))
      .join(', ');
  const states: readonly [type: string, isBad: boolean, bad: [string, string], good: [string, string]][] = [
    [
      'NamespaceDeletionDiscoveryFailure',
      undiscovered.length > 0,
      [
        'DiscoveryFailed',
        `Discovery failed for some groups, ${undiscovered.length} failing: ${undiscovered.join('; ')}`,
      ],
      ['ResourcesDiscovered', 'All resources successfully discovered'],
    ],
    [
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      ['GroupVersionParsingFailed', ''],
      ['ParsedGroupVersions', 'All legacy kube types successfully parsed'],
    ],
    [
      'NamespaceDeletionContentFailure',
      failures.length > 0,
      [
        'ContentDeletionFailed',
        `Failed to delete all resource types, ${failures.length} remaining: ${failures.slice(0, 10).join(', ')}`,
      ],
      ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
    ],
    [
      'NamespaceContentRemaining',
      remaining.size > 0,
      [
        'SomeResourcesRemain',
        `Some resources are remaining: ${list(remaining, (name, count) => `${name} has ${count} resource instances`)}`,
      ],
      ['ContentRemoved', 'All content successfully removed'],
    ],
    [
      'NamespaceFinalizersRemaining',
      finalizers.size > 0,
      [
        'SomeFinalizersRemain',
        `Some content in the namespace has finalizers remaining: ${list(finalizers, (name, count) => `${name} in ${count} resource instances`)}`,
      ],
      ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    ],
  ];
  return states.map(([type, isBad, bad, good]) => {
    const [reason, message] = isBad ? bad : good;
    const status = isBad ? 'True' : 'False';
    const known = before.find((condition) => condition.type === type);
    const lastTransitionTime = known?.status === status ? (known.lastTransitionTime ?? toTime(now)) : toTime(now);
    return { type, status, reason, message, lastTransitionTime };
  });
}

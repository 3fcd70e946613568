// Aggregated roles: their rules are those of every role that their selectors match, written into them whenever one changes,
// so that whoever reads the role sees what it allows.
import { Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { type Clock, seconds } from '@kedge/core/time';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { ClusterRole, PolicyRule } from '@kedge/model/k8s-types';
import { aggregatedRules } from './rbac.ts';

export interface RoleAggregationDeps {
  readonly clock: Clock;
  readonly log: Log;
  clusterRoles(): readonly ClusterRole[];
  /** Writes the rules of a role; throws StatusErrors. */
  write(name: string, rules: readonly PolicyRule[], signal: AbortSignal): Promise<void>;
}

export interface RoleAggregation {
  /** A cluster role was written. */
  wake(): void;
  run(signal: AbortSignal): Promise<void>;
}

const retry = seconds(5);

/** Which aggregated roles say something else than they should. */
export const planAggregation = (roles: readonly ClusterRole[]): { name: string; rules: readonly PolicyRule[] }[] =>
  roles.flatMap((role) => {
    if (!role.aggregationRule) return [];
    const rules = aggregatedRules(role, roles);
    return jsonEqual(rules, role.rules ?? []) ? [] : [{ name: role.metadata.name ?? '', rules }];
  });

export function createRoleAggregation({ clock, log, clusterRoles, write }: RoleAggregationDeps): RoleAggregation {
  const wakeup = new Wakeup();
  return {
    wake: () => wakeup.wake(),
    async run(signal) {
      for (;;) {
        try {
          for (const { name, rules } of planAggregation(clusterRoles())) await write(name, rules, signal);
          await wakeup.wait(signal);
        } catch (error) {
          signal.throwIfAborted();
          log.warn('aggregated roles could not be written and will be tried again', { err: error });
          await clock.sleep('roles to aggregate', retry, signal);
        }
      }
    },
  };
}

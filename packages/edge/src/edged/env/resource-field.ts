// Requests and limits that a container may read about itself or its neighbour, in units of a divisor.
import { parseQuantity, quantity } from '@kedge/model/k8s-quantity';
import type { Container, ResourceFieldSelector } from '@kedge/model/k8s-types';

/** What pods may have of the node, by resource: a limit that was not set is this. */
export type Allocatable = Readonly<Record<string, string>>;

/** Undefined for a resource that there is no value for. */
export function readResource(
  container: Container,
  { resource, divisor }: Pick<ResourceFieldSelector, 'resource' | 'divisor'>,
  allocatable: Allocatable,
): string | undefined {
  const dot = resource.indexOf('.');
  const kind = resource.slice(0, dot);
  const name = resource.slice(dot + 1);
  if (kind !== 'limits' && kind !== 'requests') return undefined;
  const { limits, requests } = container.resources ?? {};
  const written =
    kind === 'limits' ? (limits?.[name] ?? allocatable[name]) : (requests?.[name] ?? limits?.[name] ?? '0');
  if (written === undefined) return undefined;
  const by = parseQuantity(divisor ?? '1')?.nano || 1_000_000_000n;
  const { nano } = quantity(written);
  return String((nano + by - 1n) / by);
}

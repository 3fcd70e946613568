// What a pod asks of its node, as plain numbers: thousandths for CPU, whole units for everything else.
import { parseQuantity, quantityMillis, quantityUnits } from '../k8s-quantity/index.ts';
import type { Container, PodSpec } from '../k8s-types/index.ts';

/** Amounts by resource name; absent means none. */
export type Amounts = ReadonlyMap<string, number>;

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts = new Map<string, number>();
  for (const [name, text] of Object.entries(list ?? {})) {
    const parsed = parseQuantity(text);
    if (parsed) amounts.set(name, Number(name === 'cpu' ? quantityMillis(parsed) : quantityUnits(parsed)));
  }
  return amounts;
}

/**
 * The requests of all containers together. Init containers run one after another, so each counts alone, on top of the
 * sidecars started before it; sidecars (init containers that restart always) stay and count with the main containers.
 * `unsaid` is what a container counts for where it asks for nothing.
 */
export const podRequests = (spec: PodSpec | undefined, unsaid?: Amounts): Amounts =>
  podAmounts(spec, 'requests', unsaid);

/** The same of limits. */
export const podLimits = (spec: PodSpec | undefined): Amounts => podAmounts(spec, 'limits');

function podAmounts(spec: PodSpec | undefined, kind: 'requests' | 'limits', unsaid: Amounts = new Map()): Amounts {
  const requestsOf = ({ resources }: Container): Amounts => new Map([...unsaid, ...amountsOf(resources?.[kind])]);
  let total = (spec?.containers ?? []).map(requestsOf).reduce(addAmounts, new Map());
  let sidecars: Amounts = new Map();
  let initPeak: Amounts = new Map();
  for (const container of spec?.initContainers ?? []) {
    const own = requestsOf(container);
    if (container.restartPolicy === 'Always') {
      total = addAmounts(total, own);
      sidecars = addAmounts(sidecars, own);
      initPeak = maxAmounts(initPeak, sidecars);
    } else {
      initPeak = maxAmounts(initPeak, addAmounts(sidecars, own));
    }
  }
  // What the pod says for itself as a whole holds, whatever its containers add up to.
  const sum = new Map([...maxAmounts(total, initPeak), ...amountsOf(spec?.resources?.[kind])]);
  return addAmounts(sum, amountsOf(spec?.overhead));
}

export const addAmounts = (a: Amounts, b: Amounts): Amounts => combine(a, b, (x, y) => x + y);
export const subtractAmounts = (a: Amounts, b: Amounts): Amounts => combine(a, b, (x, y) => x - y);
export const maxAmounts = (a: Amounts, b: Amounts): Amounts => combine(a, b, Math.max);

function combine(a: Amounts, b: Amounts, how: (x: number, y: number) => number): Amounts {
  const result = new Map(a);
  for (const [name, amount] of b) result.set(name, how(result.get(name) ?? 0, amount));
  return result;
}

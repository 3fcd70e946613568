// Kubernetes' list functions: sums and extremes, order, places, and lists taken as sets.
import type { Environment } from '@marcbachmann/cel-js';
import { deepEqual, evaluationFailed } from '../values.ts';

const sync = { async: false };
type Comparable = bigint | boolean | number | string | { valueOf(): number };

interface Addable {
  addDuration(other: Addable): Addable;
}

const orderedTypes = [
  'int',
  'double',
  'string',
  'bool',
  'google.protobuf.Duration',
  'google.protobuf.Timestamp',
] as const;

const less = (a: Comparable, b: Comparable): boolean => a.valueOf() < b.valueOf();

export function registerListFunctions(env: Environment): void {
  for (const type of orderedTypes) {
    const list = `list<${type}>`;
    env.registerFunction(
      `${list}.isSorted(): bool`,
      (items: Comparable[]) => items.every((item, at) => at === 0 || !less(item, items[at - 1]!)),
      sync,
    );
    env.registerFunction(`${list}.min(): ${type}`, (items: Comparable[]) => extreme(items, 'min'), sync);
    env.registerFunction(`${list}.max(): ${type}`, (items: Comparable[]) => extreme(items, 'max'), sync);
  }
  env.registerFunction('list<int>.sum(): int', (items: bigint[]) => items.reduce((a, b) => a + b, 0n), sync);
  env.registerFunction('list<double>.sum(): double', (items: number[]) => items.reduce((a, b) => a + b, 0), sync);
  const duration = 'google.protobuf.Duration';
  env.registerFunction(
    `list<${duration}>.sum(): ${duration}`,
    (items: Addable[]) => {
      const [first, ...rest] = items;
      if (!first) throw evaluationFailed('sum called on an empty list of durations');
      return rest.reduce((a, b) => a.addDuration(b), first);
    },
    sync,
  );
  env.registerFunction(
    'list<A>.indexOf(A): int',
    (items: unknown[], wanted: unknown) => BigInt(items.findIndex((item) => deepEqual(item, wanted))),
    sync,
  );
  env.registerFunction(
    'list<A>.lastIndexOf(A): int',
    (items: unknown[], wanted: unknown) => BigInt(items.findLastIndex((item) => deepEqual(item, wanted))),
    sync,
  );
  registerSets(env);
}

function extreme(items: readonly Comparable[], which: 'max' | 'min'): Comparable {
  if (items.length === 0) throw evaluationFailed(`${which} called on empty list`);
  return items.reduce((a, b) => ((which === 'min' ? less(b, a) : less(a, b)) ? b : a));
}

class SetsNamespace {
  readonly functions = 'sets';
}

function registerSets(env: Environment): void {
  const has = (list: readonly unknown[], wanted: unknown): boolean => list.some((item) => deepEqual(item, wanted));
  const contains = (a: readonly unknown[], b: readonly unknown[]): boolean => b.every((item) => has(a, item));
  env.registerType('SetsNamespace', SetsNamespace);
  env.registerConstant('sets', 'SetsNamespace', new SetsNamespace());
  type Pair = [namespace: SetsNamespace, a: unknown[], b: unknown[]];
  env.registerFunction('SetsNamespace.contains(list<A>, list<A>): bool', (...[, a, b]: Pair) => contains(a, b), sync);
  env.registerFunction(
    'SetsNamespace.equivalent(list<A>, list<A>): bool',
    (...[, a, b]: Pair) => contains(a, b) && contains(b, a),
    sync,
  );
  env.registerFunction(
    'SetsNamespace.intersects(list<A>, list<A>): bool',
    (...[, a, b]: Pair) => a.some((item) => has(b, item)),
    sync,
  );
}

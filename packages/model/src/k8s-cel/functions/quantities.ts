// `quantity("1.5Gi")` and what can be done with it.
import type { Environment } from '@marcbachmann/cel-js';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityOfUnits,
  subtractQuantities,
} from '../../k8s-quantity/index.ts';
import { evaluationFailed } from '../values.ts';

const sync = { async: false };
const nano = 1_000_000_000n;
const maxInt = 2n ** 63n - 1n;

export class CelQuantity {
  readonly value: Quantity;
  constructor(value: Quantity) {
    this.value = value;
  }
  equals(other: unknown): boolean {
    return other instanceof CelQuantity && compareQuantities(this.value, other.value) === 0;
  }
  toString(): string {
    return formatQuantity(this.value);
  }
}

export function registerQuantityFunctions(env: Environment): void {
  const type = 'kubernetes.Quantity';
  env.registerType(type, CelQuantity);
  const on = (signature: string, handler: (...args: never[]) => unknown): void => {
    env.registerFunction(signature, handler, sync);
  };
  on(`quantity(string): ${type}`, (text: string) => {
    const value = parseQuantity(text);
    if (!value) throw evaluationFailed(`quantities must match the regular expression of quantities: "${text}"`);
    return new CelQuantity(value);
  });
  on('isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined);
  on(`${type}.isInteger(): bool`, ({ value }: CelQuantity) => integerOf(value) !== undefined);
  on(`${type}.asInteger(): int`, ({ value }: CelQuantity) => {
    const integer = integerOf(value);
    if (integer === undefined) throw evaluationFailed('cannot convert value to integer');
    return integer;
  });
  on(`${type}.asApproximateFloat(): double`, ({ value }: CelQuantity) => Number(value.nano) / 1e9);
  on(`${type}.sign(): int`, ({ value }: CelQuantity) => (value.nano > 0n ? 1n : value.nano < 0n ? -1n : 0n));
  on(`${type}.isLessThan(${type}): bool`, (a: CelQuantity, b: CelQuantity) => compareQuantities(a.value, b.value) < 0);
  on(
    `${type}.isGreaterThan(${type}): bool`,
    (a: CelQuantity, b: CelQuantity) => compareQuantities(a.value, b.value) > 0,
  );
  on(`${type}.compareTo(${type}): int`, (a: CelQuantity, b: CelQuantity) =>
    BigInt(compareQuantities(a.value, b.value)),
  );
  for (const [name, combine] of [
    ['add', addQuantities],
    ['sub', subtractQuantities],
  ] as const) {
    on(
      `${type}.${name}(${type}): ${type}`,
      (a: CelQuantity, b: CelQuantity) => new CelQuantity(combine(a.value, b.value)),
    );
    on(
      `${type}.${name}(int): ${type}`,
      (a: CelQuantity, b: bigint) => new CelQuantity(combine(a.value, quantityOfUnits(b))),
    );
  }
  env.registerOperator(`${type} == ${type}`, (a: CelQuantity, b: CelQuantity) => a.equals(b));
}

function integerOf({ nano: amount }: Quantity): bigint | undefined {
  if (amount % nano !== 0n) return undefined;
  const integer = amount / nano;
  return integer <= maxInt && integer >= -maxInt ? integer : undefined;
}

// Exact arithmetic on Kubernetes quantities: `formatQuantity(addQuantities(quantity('500m'), quantity('1'))) === '1500m'`.
export {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  maxQuantity,
  parseQuantity,
  quantity,
  quantityErrors,
  quantityMillis,
  quantityOfMillis,
  quantityOfUnits,
  quantityUnits,
  subtractQuantities,
  zeroQuantity,
} from './quantity.ts';
export type { Quantity, QuantityFormat } from './quantity.ts';

// Leases.
import { invalidField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { Lease } from '../k8s-types/index.ts';
import { checkNonNegative } from './checks.ts';
import { createRules } from './kind-rules.ts';

export const leaseRules = createRules<Lease>({
  validate: ({ spec }) => [
    ...checkPositive(spec?.leaseDurationSeconds, 'spec.leaseDurationSeconds'),
    ...checkNonNegative(spec?.leaseTransitions, 'spec.leaseTransitions'),
  ],
});

const checkPositive = (value: number | undefined, path: string): FieldError[] =>
  value !== undefined && value <= 0 ? [invalidField(path, value, 'must be greater than 0')] : [];

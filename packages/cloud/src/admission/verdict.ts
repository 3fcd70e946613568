// What a reviewer is asked and what it answers.
import type { KubeObject } from '@kedge/model/k8s';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface Review {
  readonly uid: string;
  readonly operation: Operation;
  readonly namespace: string;
  readonly name: string;
  /** Undefined for a deletion. */
  readonly object: KubeObject | undefined;
  /** Undefined for a creation. */
  readonly before: KubeObject | undefined;
}

export interface PatchStep {
  readonly op: 'add' | 'replace';
  readonly path: string;
  readonly value: unknown;
}

export type Verdict =
  | { readonly allowed: true; readonly warnings?: readonly string[]; readonly patch?: readonly PatchStep[] }
  | { readonly allowed: false; readonly say: string };

export type Reviewer = (review: Review, signal: AbortSignal) => Promise<Verdict>;

export const allow: Verdict = { allowed: true };
export const deny = (say: string): Verdict => ({ allowed: false, say });

/** Kubernetes cuts warnings off at this length. */
const maxWarning = 120;
const maxWarnings = 8;

export const allowWith = (warnings: readonly string[]): Verdict =>
  warnings.length === 0
    ? allow
    : { allowed: true, warnings: warnings.slice(0, maxWarnings).map((text) => text.slice(0, maxWarning * 2)) };

const maxProblems = 5;

/** Several findings in one message. */
export function denyAll(findings: readonly string[]): Verdict {
  const more = findings.length - maxProblems;
  return deny(`${findings.slice(0, maxProblems).join('; ')}${more > 0 ? `; and ${more} more` : ''}`);
}

/** Whether the two say the same: the order of keys does not matter. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(x);
  return keys.length === Object.keys(y).length && keys.every((key) => Object.hasOwn(y, key) && isEqual(x[key], y[key]));
}

export const isSpecChanged = ({ object, before }: Review): boolean => !isEqual(object?.['spec'], before?.['spec']);

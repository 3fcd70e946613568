// What a built-in kind adds to its schema. Everything is pure; an object has been read by readBuiltin before, so its
// fields have the right types, but required ones may still be missing.
import { checkDns1123Subdomain } from '../k8s/index.ts';
import type { FieldError, KubeObject } from '../k8s/index.ts';

export interface KindRules<T = KubeObject> {
  /** Fills in what Kubernetes documents as defaults; idempotent. Applied to whatever a client sends. */
  defaults(object: T): T;
  /** What a new object starts with besides its defaults, such as a pending status; metadata is complete by then. */
  prepareCreate(object: T): T;
  /** Carries over what a client may leave out of an update, such as the address of a Service. */
  prepareUpdate(object: T, old: T): T;
  checkName(name: string): string[];
  /** Problems of an object by itself, on create and update. */
  validate(object: T): FieldError[];
  /** Further problems on update: what may not change, and how. */
  validateUpdate(object: T, old: T): FieldError[];
}

const same = <T>(object: T): T => object;
const none = (): FieldError[] => [];

/** The rules of one kind; what is left out is neutral. */
export const createRules = <T extends KubeObject>(rules: Partial<KindRules<T>>): KindRules<T> => ({
  defaults: same,
  prepareCreate: same,
  prepareUpdate: same,
  checkName: checkDns1123Subdomain,
  validate: none,
  validateUpdate: none,
  ...rules,
});

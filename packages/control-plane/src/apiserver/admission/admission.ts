// The admission chain: each step may change the object that is about to be written, or refuse it.
import type { ApiUser, Call } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';

export interface AdmissionRequest {
  readonly operation: 'create' | 'update' | 'delete';
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string | undefined;
  /** The state to be written; undefined on deletion. May be changed. */
  readonly object: KubeObject | undefined;
  readonly before: KubeObject | undefined;
  readonly user: ApiUser;
  readonly dryRun: boolean;
}

export interface AdmissionStep {
  readonly name: string;
  /** Throws a StatusError to refuse. */
  admit(request: AdmissionRequest, call: Call): void | Promise<void>;
}

export interface Admission {
  admit(request: AdmissionRequest, call: Call): Promise<void>;
}

export const joinAdmission = (steps: readonly AdmissionStep[]): Admission => ({
  async admit(request, call) {
    for (const step of steps) await step.admit(request, call);
  },
});

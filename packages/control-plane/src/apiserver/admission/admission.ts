// The admission chain. First every step may change the object that is about to be written, or refuse it; once the object
// has passed its kind's checks, every step sees what will be stored and may only refuse it.
import type { ApiUser, Call } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';

export interface AdmissionRequest {
  readonly operation: 'create' | 'update' | 'delete';
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string | undefined;
  /** The state to be written; undefined on deletion. May be changed by `admit`. */
  readonly object: KubeObject | undefined;
  readonly before: KubeObject | undefined;
  readonly user: ApiUser;
  readonly dryRun: boolean;
  /** The options of the request as webhooks see them (CreateOptions and the like), without kind and version. */
  readonly options?: Readonly<Record<string, unknown>>;
}

export interface AdmissionStep {
  readonly name: string;
  /** Changes the object, or throws a StatusError to refuse. Idempotent: it may be asked again after a later change. */
  admit?(request: AdmissionRequest, call: Call): void | Promise<void>;
  /** Throws a StatusError to refuse what is about to be stored. */
  validate?(request: AdmissionRequest, call: Call): void | Promise<void>;
}

/** A step that may change what earlier steps have seen. */
export interface MutatingWebhookStep {
  readonly name: string;
  /** Asks every webhook; given the first pass, only those that want to be asked again and see something new. */
  run(request: AdmissionRequest, call: Call, first: WebhookPass | undefined): Promise<WebhookPass>;
}

export interface WebhookPass {
  readonly changed: boolean;
  /** What those webhooks left behind that want to see the object again when others change it after them. */
  readonly left: ReadonlyMap<string, string>;
}

export interface Admission {
  admit(request: AdmissionRequest, call: Call): Promise<void>;
  validate(request: AdmissionRequest, call: Call): Promise<void>;
}

export function joinAdmission(steps: readonly AdmissionStep[], webhooks?: MutatingWebhookStep): Admission {
  const admitAll = async (request: AdmissionRequest, call: Call): Promise<void> => {
    for (const step of steps) await step.admit?.(request, call);
  };
  return {
    async admit(request, call) {
      await admitAll(request, call);
      const first = await webhooks?.run(request, call, undefined);
      if (!first?.changed) return;
      // What webhooks added, such as a container, gets what the steps before give to all.
      await admitAll(request, call);
      await webhooks!.run(request, call, first);
    },
    async validate(request, call) {
      for (const step of steps) await step.validate?.(request, call);
    },
  };
}

// Mutating and validating webhooks: who is asked, in which order, and what becomes of a hook that says no, changes
// something, answers nonsense, or does not answer at all.
import type { Log } from '@kedge/core/log';
import type { Random } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import type { Call } from '@kedge/engine/kube-api';
import type { KubeObject, StatusError } from '@kedge/model/k8s';
import { isStatus } from '@kedge/model/k8s';
import { isObject, jsonPatch } from '@kedge/model/k8s-patch';
import type { MatchCondition, MutatingWebhook, ValidatingWebhook } from '@kedge/model/k8s-types';
import type { Kind } from '../../kinds/kind.ts';
import type { WebhookClient } from '../../webhooks/webhook-client.ts';
import type { AdmissionRequest, AdmissionStep, MutatingWebhookStep, WebhookPass } from '../admission.ts';
import {
  callFailed,
  createReview,
  denial,
  inForm,
  internalError,
  noDryRun,
  readReview,
  type ReviewResponse,
} from './admission-review.ts';
import { type MatchDeps, matchRequest } from './match-request.ts';
import type { WebhookConfigurations } from './webhook-configurations.ts';

export type ConditionVerdict = 'matches' | 'differs' | { readonly error: string };

export interface WebhookAdmissionDeps extends MatchDeps {
  readonly log: Log;
  readonly random: Random;
  readonly client: WebhookClient;
  readonly configurations: WebhookConfigurations;
  /** False while the server is still writing what a cluster is born with: hooks may not be reachable yet. */
  asks(request: AdmissionRequest): boolean;
  /** The match conditions of a hook, which all have to hold. */
  meets(conditions: readonly MatchCondition[], request: AdmissionRequest, as: Kind): Promise<ConditionVerdict>;
  /** Reads a patched object the way a client's is read: unknown fields go, defaults come. */
  reread(kind: Kind, object: KubeObject, call: Call): KubeObject;
}

type Hook = MutatingWebhook | ValidatingWebhook;

/** Hooks never see what registers hooks, so that a broken one can always be taken out. */
const exempt = new Set([
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
]);
const usualTimeout = 10;

export function createWebhookAdmission(deps: WebhookAdmissionDeps): {
  readonly mutating: MutatingWebhookStep;
  readonly validating: AdmissionStep;
} {
  const { log, configurations } = deps;

  /** The form a matching hook wants to see; undefined when it does not want to. Throws when its conditions cannot be told. */
  async function wanted(
    hook: Hook,
    request: AdmissionRequest,
    match: { readonly kind: Kind },
  ): Promise<Kind | undefined> {
    if (hook.matchConditions?.length) {
      const verdict = await deps.meets(hook.matchConditions, request, match.kind);
      if (verdict === 'differs') return undefined;
      if (verdict !== 'matches') {
        if (hook.failurePolicy === 'Ignore') return undefined;
        throw callFailed(hook.name, `matchConditions: ${verdict.error}`);
      }
    }
    if (request.dryRun && hook.sideEffects !== 'None' && hook.sideEffects !== 'NoneOnDryRun') throw noDryRun(hook.name);
    return match.kind;
  }

  /** The answer, or undefined where the failure policy lets the request pass. */
  async function ask(hook: Hook, request: AdmissionRequest, as: Kind, call: Call): Promise<ReviewResponse | undefined> {
    const outcome = await exchange(hook, request, as, call);
    if ('why' in outcome) {
      if (hook.failurePolicy !== 'Ignore') throw callFailed(hook.name, outcome.why);
      log.warn('a webhook failed and is ignored, as its policy says', { name: hook.name, reason: outcome.why });
      return undefined;
    }
    const { response } = outcome;
    for (const warning of response.warnings) call.warn(warning);
    for (const [key, value] of Object.entries(response.auditAnnotations))
      call.annotate?.(`${hook.name}/${key}`, String(value));
    if (!response.allowed) throw denial(hook.name, response.status);
    return response;
  }

  async function exchange(
    hook: Hook,
    request: AdmissionRequest,
    as: Kind,
    call: Call,
  ): Promise<{ response: ReviewResponse } | { why: string }> {
    const review = createReview(request, as, deps.random.uuid(), hook.admissionReviewVersions);
    if (!review) return { why: 'no admission review version is known to both sides' };
    const timeout = seconds(Math.min(Math.max(hook.timeoutSeconds ?? usualTimeout, 1), 30));
    const answer = await deps.client.post(hook.clientConfig, review.body, timeout, call.signal);
    if (!answer.ok) return { why: answer.why };
    const read = readReview(review, answer.value);
    return read.ok ? { response: read.response } : { why: read.why };
  }

  function applyPatch(hook: Hook, request: AdmissionRequest, as: Kind, patch: unknown, call: Call): boolean {
    if (Array.isArray(patch) && patch.length === 0) return false;
    const { object, kind } = request;
    if (!object) {
      throw internalError(
        `admission webhook "${hook.name}" attempted to modify the object, which is not supported for this operation`,
      );
    }
    const before = JSON.stringify(object);
    const next = patchedObject(inForm(object, kind, as)!, patch, (shown) =>
      deps.reread(kind, inForm(shown, as, kind)!, call),
    );
    replaceContent(object, next);
    return JSON.stringify(object) !== before;
  }

  async function run(request: AdmissionRequest, call: Call, first: WebhookPass | undefined): Promise<WebhookPass> {
    const left = new Map<string, string>();
    let changed = false;
    if (!takesPart(request, deps)) return { changed, left };
    for (const { hook, key } of configurations.mutating()) {
      const mine = first?.left.get(key);
      if (first && (mine === undefined || mine === JSON.stringify(request.object))) continue;
      const match = matchRequest(hook, request, deps);
      const as = match && (await wanted(hook, request, match));
      if (!as) continue;
      const response = await ask(hook, request, as, call);
      if (response?.patch !== undefined && applyPatch(hook, request, as, response.patch, call)) changed = true;
      if (hook.reinvocationPolicy === 'IfNeeded') left.set(key, JSON.stringify(request.object));
    }
    return { changed, left };
  }

  return {
    mutating: { name: 'MutatingAdmissionWebhook', run },
    validating: {
      name: 'ValidatingAdmissionWebhook',
      async validate(request, call) {
        if (!takesPart(request, deps)) return;
        const matching = configurations.validating().flatMap(({ hook }) => {
          const match = matchRequest(hook, request, deps);
          return match ? [{ hook, match }] : [];
        });
        if (matching.length === 0) return;
        const outcomes = await Promise.allSettled(
          matching.map(async ({ hook, match }) => {
            const as = await wanted(hook, request, match);
            if (as) await ask(hook, request, as, call);
          }),
        );
        const refused = outcomes.find((outcome) => outcome.status === 'rejected');
        if (refused) throw refused.reason;
      },
    },
  };
}

const takesPart = (request: AdmissionRequest, { asks }: WebhookAdmissionDeps): boolean =>
  !exempt.has(request.kind.collection) && asks(request);

function patchedObject(shown: KubeObject, patch: unknown, reread: (object: KubeObject) => KubeObject): KubeObject {
  try {
    const next = jsonPatch(shown, patch);
    if (!isObject(next) || !isObject(next['metadata'])) throw internalError('the patch leaves no object');
    return reread(next as unknown as KubeObject);
  } catch (error) {
    throw isStatus(error, 'InternalError') ? error : internalError((error as StatusError).message);
  }
}

const identity = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'generation',
] as const;

/** The object is known to others by reference; who it is does not change. */
function replaceContent(object: KubeObject, next: KubeObject): void {
  const { apiVersion, kind, metadata: had } = object;
  for (const field of Object.keys(object)) delete object[field];
  Object.assign(object, next, apiVersion ? { apiVersion } : {}, kind ? { kind } : {});
  object.metadata = { ...next.metadata };
  for (const field of identity) {
    if (had[field] === undefined) delete object.metadata[field];
    else Object.assign(object.metadata, { [field]: had[field] });
  }
}

// The AdmissionReview documents (admission.k8s.io): what a webhook is asked, and what its answer means.
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail, httpCodes, type KubeObject, type Status, type StatusError, statusError } from '@kedge/model/k8s';
import { isObject } from '@kedge/model/k8s-patch';
import type { Kind } from '../../kinds/kind.ts';
import type { AdmissionRequest } from '../admission.ts';

/** The versions of AdmissionReview we speak, best first. */
const reviewVersions = ['v1', 'v1beta1'];

export interface Review {
  readonly uid: string;
  readonly apiVersion: string;
  readonly body: string;
}

export interface ReviewResponse {
  readonly allowed: boolean;
  readonly status: Status | undefined;
  readonly patch: unknown;
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

export const userInfoOf = ({ name, uid, groups, extra }: ApiUser) => ({
  username: name,
  ...(uid ? { uid } : {}),
  groups,
  ...(extra && Object.keys(extra).length ? { extra } : {}),
});

const optionKinds = { create: 'CreateOptions', update: 'UpdateOptions', delete: 'DeleteOptions' } as const;

/** The request as webhooks see it. `as` is the form in which the objects are shown. */
const requestDocument = (request: AdmissionRequest, as: Kind, uid: string): Record<string, unknown> => ({
  uid,
  ...aboutRequest(request, as),
  object: inForm(request.object, request.kind, as),
  oldObject: inForm(request.before, request.kind, as),
});

/** The request without its objects, as CEL expressions see it too. */
export function aboutRequest(request: AdmissionRequest, as: Kind): Record<string, unknown> {
  const { kind, operation, subresource, name, namespace, user, dryRun } = request;
  const kindOf = ({ served }: Kind) => ({ group: served.group, version: served.version, kind: served.kind });
  const resourceOf = ({ served: { group, version, resource } }: Kind) => ({ group, version, resource });
  return {
    kind: kindOf(as),
    resource: resourceOf(as),
    ...(subresource ? { subResource: subresource } : {}),
    requestKind: kindOf(kind),
    requestResource: resourceOf(kind),
    ...(subresource ? { requestSubResource: subresource } : {}),
    ...(name ? { name } : {}),
    ...(namespace === undefined ? {} : { namespace }),
    operation: operation.toUpperCase(),
    userInfo: userInfoOf(user),
    dryRun,
    options: {
      kind: optionKinds[operation],
      apiVersion: 'meta.k8s.io/v1',
      ...(dryRun ? { dryRun: ['All'] } : {}),
      ...request.options,
    },
  };
}

/** An object of one served kind as another one shows it. */
export function inForm(object: KubeObject | undefined, from: Kind, to: Kind): KubeObject | null {
  if (!object) return null;
  if (from === to) return { ...object, apiVersion: to.apiVersion, kind: to.served.kind };
  const stored = from.conversion?.toStored(object) ?? object;
  const shown = to.conversion?.toServed(stored) ?? stored;
  return { ...shown, apiVersion: to.apiVersion, kind: to.served.kind };
}

export function createReview(
  request: AdmissionRequest,
  as: Kind,
  uid: string,
  accepted: readonly string[],
): Review | undefined {
  const version = reviewVersions.find((one) => accepted.includes(one));
  if (!version) return undefined;
  const apiVersion = `admission.k8s.io/${version}`;
  const document = { kind: 'AdmissionReview', apiVersion, request: requestDocument(request, as, uid) };
  return { uid, apiVersion, body: JSON.stringify(document) };
}

export type ReadReview =
  | { readonly ok: true; readonly response: ReviewResponse }
  | { readonly ok: false; readonly why: string };

export function readReview(asked: Review, answer: unknown): ReadReview {
  const wrong = (why: string): ReadReview => ({ ok: false, why });
  if (!isObject(answer)) return wrong('expected an AdmissionReview, got something else');
  const { apiVersion, kind, response } = answer;
  const isStrict = asked.apiVersion.endsWith('/v1');
  if (isStrict && (kind !== 'AdmissionReview' || apiVersion !== asked.apiVersion)) {
    const got = `${String(apiVersion)}, Kind=${String(kind)}`;
    return wrong(`expected webhook response of ${asked.apiVersion}, Kind=AdmissionReview, got ${got}`);
  }
  if (!isObject(response)) return wrong('webhook response was absent');
  const { uid, allowed, patch, patchType, status, warnings, auditAnnotations } = response;
  if (isStrict && uid !== asked.uid)
    return wrong(`expected response.uid="${asked.uid}", got ${JSON.stringify(uid ?? '')}`);
  if (isStrict && patch && !patchType) return wrong('webhook returned response.patch but not response.patchType');
  if (patchType && patchType !== 'JSONPatch')
    return wrong(`webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`);
  const operations = patch ? readPatchText(patch) : { ok: true as const, value: undefined };
  if (!operations.ok) return wrong(operations.why);
  return {
    ok: true,
    response: {
      allowed: allowed === true,
      status: isObject(status) ? (status as Status) : undefined,
      patch: operations.value,
      warnings: Array.isArray(warnings) ? warnings.map(String) : [],
      auditAnnotations: isObject(auditAnnotations) ? (auditAnnotations as Record<string, string>) : {},
    },
  };
}

function readPatchText(patch: unknown): { ok: true; value: unknown } | { ok: false; why: string } {
  try {
    const bytes = Uint8Array.from(atob(String(patch)), (char) => char.charCodeAt(0));
    return { ok: true, value: JSON.parse(new TextDecoder().decode(bytes)) };
  } catch (error) {
    return { ok: false, why: `webhook returned a patch that cannot be read: ${(error as Error).message}` };
  }
}

/** What the client hears when a webhook says no. */
export function denial(name: string, status: Status | undefined): StatusError {
  const said = `admission webhook "${name}" denied the request`;
  const why = status?.message || status?.reason;
  const code = Math.max(status?.code ?? 0, 400);
  return statusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    ...status,
    status: 'Failure',
    message: why ? `${said}: ${why}` : `${said} without explanation`,
    code,
  });
}

/** The server's own trouble, as upstream words it. */
export const internalError = (what: string): StatusError =>
  statusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${what}`,
    reason: 'InternalError',
    details: { causes: [{ message: what }] },
    code: httpCodes.InternalError,
  });

export const callFailed = (name: string, why: string): StatusError =>
  internalError(`failed calling webhook "${name}": ${why}`);

export const noDryRun = (name: string): StatusError =>
  fail('BadRequest', `admission webhook "${name}" does not support dry run`);

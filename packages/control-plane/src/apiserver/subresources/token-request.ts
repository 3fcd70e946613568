// Tokens on request: short-lived, for an audience, bound to the pod they are made for.
import { type Clock, instant, toTime } from '@kedge/core/time';
import type { Random } from '@kedge/core/ports';
import { documentOfObject } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import type { AuthenticationV1TokenRequest } from '@kedge/model/k8s-types';
import type { BoundTo, TokenSigner } from '../authn/tokens.ts';
import type { ObjectReader } from '../objects/read-objects.ts';
import type { Subresource } from './subresource.ts';

export interface TokenRequestDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly tokens: TokenSigner;
  /** For requests that name none. */
  readonly audience: string;
  readonly reader: ObjectReader;
  /** An object that a token can be bound to; throws NotFound. */
  readBound(kind: string, namespace: string, name: string): KubeObject;
}

const shortest = 10 * 60;
const longest = 365 * 24 * 3_600;
const usual = 3_600;

export function createTokenRequest(deps: TokenRequestDeps): Subresource {
  const { clock, random, tokens } = deps;

  function boundTo(
    request: AuthenticationV1TokenRequest,
    namespace: string,
  ): Omit<BoundTo, 'namespace' | 'serviceaccount'> {
    const ref = request.spec.boundObjectRef;
    if (!ref) return {};
    const part = ({ Pod: 'pod', Secret: 'secret', Node: 'node' } as const)[ref.kind ?? ''];
    if (!part || !ref.name) {
      throw fail(
        'Invalid',
        `TokenRequest is invalid: spec.boundObjectRef.kind: Unsupported value: "${ref.kind ?? ''}": use Pod, Secret or Node`,
      );
    }
    const object = deps.readBound(ref.kind!, part === 'node' ? '' : namespace, ref.name);
    const uid = object.metadata.uid ?? '';
    if (ref.uid && ref.uid !== uid) {
      throw fail(
        'Conflict',
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      );
    }
    const nodeName = part === 'pod' ? (object['spec'] as { nodeName?: string } | undefined)?.nodeName : undefined;
    const bound = { [part]: { name: ref.name, uid } };
    if (!nodeName) return bound;
    return { ...bound, ...nodeClaim(nodeName, deps) };
  }

  return {
    async create({ kind, namespace = '', name }, body, options) {
      const account = deps.reader.get(kind, namespace, name).object;
      const request = body as unknown as AuthenticationV1TokenRequest;
      const expirationSeconds = request.spec?.expirationSeconds ?? usual;
      if (expirationSeconds < shortest || expirationSeconds > 2 ** 32) {
        throw fail(
          'Invalid',
          `TokenRequest "${name}" is invalid: spec.expirationSeconds: Invalid value: ${expirationSeconds}: may not specify a duration less than 10 minutes`,
        );
      }
      const audiences = request.spec?.audiences?.length ? request.spec.audiences : [deps.audience];
      const issuedAt = Math.floor(clock.now() / 1_000);
      // A token that is bound to a Secret ends with it: that is how long-lived tokens are made and taken back.
      const most = request.spec?.boundObjectRef?.kind === 'Secret' ? 2 ** 32 : longest;
      const expiresAt = issuedAt + Math.min(expirationSeconds, most);
      const bound = boundTo({ ...request, spec: { ...request.spec, audiences } }, namespace);
      const token = options.dryRun
        ? ''
        : await tokens.sign({
            subject: `system:serviceaccount:${namespace}:${name}`,
            audiences,
            issuedAt,
            expiresAt,
            id: random.uuid(),
            kubernetes: { namespace, serviceaccount: { name, uid: account.metadata.uid ?? '' }, ...bound },
          });
      const document = documentOfObject({
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { name, namespace, creationTimestamp: toTime(clock.now()) },
        spec: { ...request.spec, audiences, expirationSeconds },
        status: { token, expirationTimestamp: toTime(instant(expiresAt * 1_000)) },
      });
      return { document, created: true };
    },
  };
}

/** The node of a bound pod, where it exists. */
function nodeClaim(name: string, { readBound }: TokenRequestDeps): { node?: { name: string; uid: string } } {
  try {
    return { node: { name, uid: readBound('Node', '', name).metadata.uid ?? '' } };
  } catch {
    return {};
  }
}

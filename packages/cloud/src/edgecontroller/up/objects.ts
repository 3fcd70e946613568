// What an edge reads for its pods, its tokens, certificate requests and events.
import type { Informer } from '@kedge/core/control';
import type { CertificateAuthorities } from '@kedge/core/ports';
import type { KubeApi } from '@kedge/engine/kube-client';
import { fail, isStatus, type KubeObject, type NodeName } from '@kedge/model/k8s';
import type { ObjectRef, Upstream } from '@kedge/model/messages';
import type { Verdicts } from '../verdicts.ts';
import { linkedKinds, putOf } from '../wire-object.ts';
import { answer, type Answer, type Asked } from './answer.ts';
import { createServiceLists } from './service-lists.ts';

export interface ObjectUpDeps {
  readonly kube: KubeApi;
  readonly configMaps: Informer<KubeObject>;
  readonly secrets: Informer<KubeObject>;
  readonly authorities: Pick<CertificateAuthorities, 'readRequest'>;
  readonly mayRead: Verdicts['mayRead'];
  readonly decodeBase64: (text: string) => Uint8Array | undefined;
}

const serviceAccounts = { group: '', version: 'v1', resource: 'serviceaccounts' };
const requests = linkedKinds.certificatesigningrequest.resource;
const events = linkedKinds.event.resource;
const nodeSigners: readonly unknown[] = [
  'kubernetes.io/kubelet-serving',
  'kubernetes.io/kube-apiserver-client-kubelet',
];

export function createObjectUp(deps: ObjectUpDeps) {
  const { kube, configMaps, secrets, authorities, mayRead, decodeBase64 } = deps;
  const serviceLists = createServiceLists(kube);

  /** Throws Forbidden unless the request is for a certificate of this node, by a signer of nodes' certificates. */
  async function checkRequest(node: NodeName, request: KubeObject): Promise<void> {
    const { request: text, signerName } = (request['spec'] ?? {}) as { request?: unknown; signerName?: unknown };
    const pem = typeof text === 'string' ? decodeBase64(text) : undefined;
    const der = pem && derOf(new TextDecoder().decode(pem), decodeBase64);
    if (!der) throw fail('BadRequest', 'spec.request is not a certificate request in PEM');
    const { subject } = await authorities.readRequest(der).catch((error: unknown) => {
      throw fail('BadRequest', error instanceof Error ? error.message : 'the certificate request cannot be read');
    });
    if (!nodeSigners.includes(signerName)) {
      throw fail('Forbidden', `node "${node}" may not have a certificate by "${String(signerName)}"`);
    }
    const groups = subject.organizations.join();
    if (subject.commonName === `system:node:${node}` && groups === 'system:nodes') return;
    throw fail('Forbidden', `node "${node}" may not have a certificate of "${subject.commonName}" in "${groups}"`);
  }

  return {
    async getReferenced(type: 'configmap' | 'secret', ref: ObjectRef, signal: AbortSignal): Promise<Answer> {
      const copy = (type === 'configmap' ? configMaps : secrets).get(`${ref.namespace}/${ref.name}`);
      const target = { namespace: ref.namespace, name: ref.name };
      const object = copy ?? (await kube.get(linkedKinds[type].resource, target, { signal }));
      return { ...answer(type, object), kept: putOf(type, object, 'update') };
    },

    async getVolume(
      node: NodeName,
      type: 'persistentvolume' | 'persistentvolumeclaim' | 'volumeattachment',
      ref: ObjectRef,
      signal: AbortSignal,
    ): Promise<Answer> {
      const namespace = type === 'persistentvolumeclaim' ? ref.namespace : undefined;
      const object = await kube.get(linkedKinds[type].resource, { namespace, name: ref.name }, { signal });
      const verdict = mayRead(node, ref, object);
      if (!verdict.allow) throw fail('Forbidden', `node "${node}" may not read ${type} "${ref.name}": ${verdict.say}`);
      return answer(type, object);
    },

    async getRuntimeClass(ref: ObjectRef, signal: AbortSignal): Promise<Answer> {
      return answer('runtimeclass', await kube.get(linkedKinds.runtimeclass.resource, { name: ref.name }, { signal }));
    },

    listServices: ({ namespace = '' }: ObjectRef, signal: AbortSignal): Promise<Answer> =>
      serviceLists.of(namespace, signal),

    async requestToken(message: Asked<'token.request'>, signal: AbortSignal): Promise<Answer> {
      const request = { ...message.request, apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' };
      const subresource = { name: message.serviceAccount, subresource: 'token' };
      const issued = await kube.create(serviceAccounts, message.namespace, request, { subresource, signal });
      const metadata = { name: message.serviceAccount, namespace: message.namespace, ...issued.metadata };
      const token = { ...issued, apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata };
      return { outcome: { ok: true, value: token } };
    },

    async createRequest(node: NodeName, object: KubeObject, signal: AbortSignal): Promise<Answer> {
      await checkRequest(node, object);
      const request = { ...object, apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest' };
      return answer('certificatesigningrequest', await kube.create(requests, undefined, request, { signal }));
    },

    async getRequest(node: NodeName, ref: ObjectRef, signal: AbortSignal): Promise<Answer> {
      const object = await kube.get(requests, { name: ref.name }, { signal });
      await checkRequest(node, object);
      return answer('certificatesigningrequest', object);
    },

    async putEvent(
      { event, ref, change }: Extract<Upstream, { kind: 'event.put' }>,
      signal: AbortSignal,
    ): Promise<void> {
      const object = { ...event, apiVersion: 'v1', kind: 'Event' };
      const create = () => kube.create(events, ref.namespace, object, { signal });
      if (change === 'insert') return void (await create().catch(unless('AlreadyExists')));
      await kube.update(events, object, { signal }).catch((error: unknown) => {
        if (!isStatus(error, 'NotFound')) throw error;
        return create();
      });
    },

    async patchEvent({ ref, patch }: Extract<Upstream, { kind: 'event.patch' }>, signal: AbortSignal): Promise<void> {
      const target = { namespace: ref.namespace, name: ref.name };
      await kube.patch(events, target, 'strategic', patch, { signal }).catch(unless('NotFound'));
    },
  };
}

const unless = (reason: 'AlreadyExists' | 'NotFound') => (error: unknown) => {
  if (!isStatus(error, reason)) throw error;
};

function derOf(pem: string, decodeBase64: (text: string) => Uint8Array | undefined): Uint8Array | undefined {
  const body = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([\s\S]+?)-----END/.exec(pem)?.[1];
  return body === undefined ? undefined : decodeBase64(body.replace(/\s+/g, ''));
}

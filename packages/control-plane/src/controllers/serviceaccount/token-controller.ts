// Fills Secrets of type kubernetes.io/service-account-token with a token of the account they name, and deletes those
// whose account is gone. The token is bound to the Secret: whoever deletes the Secret takes the token back.
import { done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import type { AuthenticationV1TokenRequest, Secret, ServiceAccount } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';

const { secrets, serviceAccounts } = collections;
const type = 'kubernetes.io/service-account-token';
const nameAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';
/** As long as a token can last: such a token has no end of its own. */
const forGood = 2 ** 32;

export function createTokenController(deps: ControllerDeps & { readonly rootCa: string }): Module {
  const { api, cluster, log, rootCa } = deps;
  const accounts = cluster.of(serviceAccounts);
  const tokens = cluster.of(secrets, { fieldSelector: `type=${type}` });

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const secret = tokens.get(key);
    if (!secret || secret.metadata.deletionTimestamp !== undefined) return done;
    const account = await accountOf(secret, signal);
    if (account) await fill(secret, account, signal);
    else await remove(secret, signal);
    return done;
  }

  /** Undefined when it is certain that there is none; the copy may be behind. */
  async function accountOf({ metadata }: Secret, signal: AbortSignal): Promise<ServiceAccount | undefined> {
    const { namespace = '', annotations = {} } = metadata;
    const name = annotations[nameAnnotation] ?? '';
    const isMeant = (account: ServiceAccount): boolean =>
      annotations[uidAnnotation] === undefined || annotations[uidAnnotation] === account.metadata.uid;
    const known = accounts.get(`${namespace}/${name}`);
    if (known && isMeant(known)) return known;
    try {
      const found = (await api.get(serviceAccounts, { namespace, name }, { signal })) as ServiceAccount;
      return isMeant(found) ? found : undefined;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async function fill(secret: Secret, { metadata }: ServiceAccount, signal: AbortSignal): Promise<void> {
    const { data = {}, metadata: own } = secret;
    const { namespace = '', name = '', resourceVersion } = own;
    const wanted = { 'ca.crt': encode(rootCa), namespace: encode(namespace) };
    const token = data['token'] ? {} : { token: encode(await tokenFor(secret, metadata.name ?? '', signal)) };
    const isCurrent =
      'token' in data &&
      own.annotations?.[uidAnnotation] === metadata.uid &&
      Object.entries(wanted).every(([key, value]) => data[key] === value);
    if (isCurrent) return;
    const patch = JSON.stringify({
      metadata: { resourceVersion, annotations: { [uidAnnotation]: metadata.uid } },
      data: { ...wanted, ...token },
    });
    try {
      await api.patch(secrets, { namespace, name }, 'merge', patch, { signal });
      log.info('token written', { key: `${namespace}/${name}` });
    } catch (error) {
      // Changed meanwhile: the change wakes us.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  async function tokenFor({ metadata }: Secret, account: string, signal: AbortSignal): Promise<string> {
    const { namespace, name = '', uid = '' } = metadata;
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { expirationSeconds: forGood, boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name, uid } },
    };
    const subresource = { name: account, subresource: 'token' };
    const answer = await api.create(serviceAccounts, namespace, request, { subresource, signal });
    return (answer as unknown as AuthenticationV1TokenRequest).status?.token ?? '';
  }

  async function remove({ metadata }: Secret, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = metadata;
    try {
      await api.delete(secrets, { namespace, name }, { uid, signal });
      log.info('token of an account that is gone deleted', { key: `${namespace}/${name}` });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  return createController(deps, {
    name: 'serviceaccount-token',
    reads: [accounts, tokens],
    watch: (queue) => {
      const wakeTokensOf = ({ metadata }: ServiceAccount): void => {
        for (const secret of tokens.list()) {
          const isOf = secret.metadata.annotations?.[nameAnnotation] === metadata.name;
          if (isOf && secret.metadata.namespace === metadata.namespace) queue.enqueue(objectKey(secret));
        }
      };
      return [
        tokens.listen({ onPut: (secret) => queue.enqueue(objectKey(secret)) }),
        accounts.listen({ onDelete: wakeTokensOf }),
      ];
    },
    reconcile,
  });
}

const encode = (text: string): string => {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
};

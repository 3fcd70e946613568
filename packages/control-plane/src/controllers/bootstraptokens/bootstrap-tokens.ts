// Bootstrap tokens (Secrets of type bootstrap.kubernetes.io/token in kube-system): expired ones are deleted, and the
// ConfigMap kube-public/cluster-info is signed with those that may sign, so that who joins knows the cluster by its token.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { milliseconds, minutes, parseTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { Secret } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { signDetached } from './sign-detached.ts';

const { configMaps, secrets } = collections;
const type = 'bootstrap.kubernetes.io/token';
const signature = 'jws-kubeconfig-';
const clusterInfo = 'kube-public/cluster-info';
const longestSleep = minutes(60);

export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
  readonly signs: boolean;
}

/** Undefined for what is no token, as for one whose name and id differ. */
export function readBootstrapToken({ metadata, data = {} }: Secret): BootstrapToken | undefined {
  const field = (name: string): string => decode(data[name] ?? '');
  const [id, secret] = [field('token-id'), field('token-secret')];
  if (!/^[a-z0-9]{6}$/.test(id) || !/^[a-z0-9]{16}$/.test(secret)) return undefined;
  if (metadata.name !== `bootstrap-token-${id}`) return undefined;
  return { id, secret, signs: field('usage-bootstrap-signing') === 'true' };
}

export function createTokenCleaner(deps: ControllerDeps): Module {
  const { api, cluster, clock, log } = deps;
  const tokens = cluster.of(secrets, { namespace: 'kube-system', fieldSelector: `type=${type}` });

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const token = tokens.get(key);
    const written = token?.data?.['expiration'];
    if (!token || written === undefined) return done;
    // What cannot be read has never been valid.
    const ends = parseTime(decode(written)) ?? clock.now();
    const left = ends - clock.now();
    if (left > 0) return again(milliseconds(Math.min(left, longestSleep)), 'the token will expire');
    const { namespace, name = '', uid = '' } = token.metadata;
    try {
      await api.delete(secrets, { namespace, name }, { uid, signal });
      log.info('expired bootstrap token deleted', { key });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
    return done;
  }

  return createController(deps, {
    name: 'tokencleaner',
    reads: [tokens],
    watch: (queue) => [tokens.listen({ onPut: (token) => queue.enqueue(objectKey(token)) })],
    reconcile,
  });
}

export function createBootstrapSigner(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const tokens = cluster.of(secrets, { namespace: 'kube-system', fieldSelector: `type=${type}` });
  const infos = cluster.of(configMaps, { namespace: 'kube-public', fieldSelector: 'metadata.name=cluster-info' });

  async function reconcile(_: string, signal: AbortSignal): Promise<Next> {
    const info = infos.get(clusterInfo);
    const kubeconfig = info?.data?.['kubeconfig'];
    if (!info || kubeconfig === undefined) return done;
    const kept = Object.entries(info.data ?? {}).filter(([name]) => !name.startsWith(signature));
    const signed = new Map<string, string>(kept);
    for (const secret of tokens.list()) {
      const token = readBootstrapToken(secret);
      if (token?.signs) signed.set(`${signature}${token.id}`, await signDetached(kubeconfig, token));
    }
    const data = Object.fromEntries(signed);
    if (jsonEqual(data, info.data)) return done;
    try {
      await api.update(configMaps, { ...info, apiVersion: 'v1', kind: 'ConfigMap', data }, { signal });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
    return done;
  }

  return createController(deps, {
    name: 'bootstrapsigner',
    reads: [tokens, infos],
    watch: (queue) => {
      const wake = (): void => queue.enqueue(clusterInfo);
      return [tokens.listen({ onPut: wake, onDelete: wake }), infos.listen({ onPut: wake })];
    },
    reconcile,
  });
}

function decode(text: string): string {
  try {
    return atob(text);
  } catch {
    return '';
  }
}

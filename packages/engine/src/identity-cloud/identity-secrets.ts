// The Secrets in namespace `kubeedge` that hold the cloud's identity, shared by all its instances and read by keadm.
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { identityErrors } from './identity-errors.ts';

export const systemNamespace = 'kubeedge';
const namespaces = { group: '', version: 'v1', resource: 'namespaces' };
const secrets = { group: '', version: 'v1', resource: 'secrets' };

export type SecretData = Readonly<Record<string, Uint8Array>>;

export interface IdentitySecrets {
  /** Undefined when there is none; throws IDENTITY_BAD_STATE when one of `keys` is missing or unreadable. */
  read<K extends string, O extends string = never>(
    name: string,
    keys: readonly K[],
    signal: AbortSignal,
    optional?: readonly O[],
  ): Promise<(Record<K, Uint8Array> & Partial<Record<O, Uint8Array>>) | undefined>;
  /** Writes the Secret unless somebody else was first; returns true when ours counts. */
  createOnce(name: string, data: SecretData, signal: AbortSignal): Promise<boolean>;
  replace(name: string, data: SecretData, signal: AbortSignal): Promise<void>;
}

const encoded = (data: SecretData): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([key, bytes]) => [key, encodeBase64(bytes)]));

export function createIdentitySecrets(kube: KubeApi): IdentitySecrets {
  const secretOf = (name: string, data: SecretData): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: systemNamespace },
    type: 'Opaque',
    data: encoded(data),
  });

  async function ensureNamespace(signal: AbortSignal): Promise<void> {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: systemNamespace } };
    await kube.create(namespaces, undefined, namespace, { signal }).catch((error: unknown) => {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    });
  }

  async function createOnce(name: string, data: SecretData, signal: AbortSignal): Promise<boolean> {
    try {
      await kube.create(secrets, systemNamespace, secretOf(name, data), { signal });
      return true;
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) return false;
      if (!isStatus(error, 'NotFound')) throw error;
      await ensureNamespace(signal);
      return createOnce(name, data, signal);
    }
  }

  return {
    async read<K extends string, O extends string>(
      name: string,
      keys: readonly K[],
      signal: AbortSignal,
      optional: readonly O[] = [],
    ) {
      const bad = (reason: string) => identityErrors.BAD_STATE({ secret: name, reason });
      let secret: KubeObject;
      try {
        secret = await kube.get(secrets, { namespace: systemNamespace, name }, { signal });
      } catch (error) {
        if (isStatus(error, 'NotFound')) return undefined;
        throw error;
      }
      const data = (secret['data'] ?? {}) as Record<string, string>;
      const read: Record<string, Uint8Array> = {};
      for (const key of [...keys, ...optional.filter((key) => data[key])]) {
        const text = data[key];
        if (!text) throw bad(`key "${key}" is missing`);
        const bytes = decodeBase64(text);
        if (!bytes) throw bad(`key "${key}" is not base64`);
        read[key] = bytes;
      }
      return read as Record<K, Uint8Array> & Partial<Record<O, Uint8Array>>;
    },
    createOnce,
    async replace(name, data, signal) {
      if (await createOnce(name, data, signal)) return;
      const document = JSON.stringify({ data: encoded(data) });
      await kube.patch(secrets, { namespace: systemNamespace, name }, 'merge', document, { signal });
    },
  };
}

// What a body looks like on disk: the JSON text, or that text encrypted, with the provider and the key's name in front
// in Kubernetes' manner: `k8s:enc:aesgcm:v1:key1:` and base64.
import type { Ciphers } from '@kedge/core/ports';
import type { EncryptionKey, EncryptionRule, Provider } from './encryption-config.ts';
import { apiStoreErrors } from './store-errors.ts';
import type { ObjectKey } from './stored.ts';

export interface BodyCodec {
  toDisk(key: ObjectKey, text: string): string;
  /** Throws APISTORE_UNREADABLE when no key fits. */
  fromDisk(key: ObjectKey, written: string): string;
}

/** Nothing is encrypted; what was, when there were keys, cannot be read. */
export const plainBodies: BodyCodec = {
  toDisk: (_key, text) => text,
  fromDisk(key, written) {
    if (!written.startsWith(mark)) return written;
    throw unreadable(key, 'it is encrypted and this server was given no keys');
  },
};

const mark = 'k8s:enc:';

export function encryptedBodies(rules: readonly EncryptionRule[], ciphers: Ciphers): BodyCodec {
  const providersOf = new Map<string, readonly Provider[]>();
  const find = (resource: string): readonly Provider[] => {
    const known = providersOf.get(resource);
    if (known) return known;
    const found = rules.find(({ resources }) => resources.some((name) => covers(name, resource)))?.providers ?? [];
    providersOf.set(resource, found);
    return found;
  };

  return {
    toDisk(key, text) {
      const [first] = find(key.resource);
      if (!first || first.by === 'identity') return text;
      const { name, secret } = first.keys[0]!;
      const plain = new TextEncoder().encode(text);
      const sealed =
        first.by === 'aesgcm' ? ciphers.sealGcm(secret, plain, aboutOf(key)) : ciphers.sealCbc(secret, plain);
      return `${mark}${first.by}:v1:${name}:${toBase64(sealed)}`;
    },
    fromDisk(key, written) {
      if (!written.startsWith(mark)) return written;
      const [by, version, name, body] = written.slice(mark.length).split(':');
      if (version !== 'v1' || name === undefined || body === undefined) {
        throw unreadable(key, 'its form is not known');
      }
      const candidates = find(key.resource).flatMap((provider): readonly EncryptionKey[] =>
        provider.by === by && 'keys' in provider ? provider.keys.filter((one) => one.name === name) : [],
      );
      const sealed = fromBase64(body);
      for (const { secret } of candidates) {
        const plain = by === 'aesgcm' ? ciphers.openGcm(secret, sealed, aboutOf(key)) : ciphers.openCbc(secret, sealed);
        if (plain) return new TextDecoder().decode(plain);
      }
      throw unreadable(key, `no key "${name}" of ${by} opens it`);
    },
  };
}

/** `secrets` names one resource, `*.apps` a group, `*.` the core group, `*.*` all. */
function covers(pattern: string, resource: string): boolean {
  if (pattern === '*.*' || pattern === resource) return true;
  const dot = resource.indexOf('.');
  const group = dot < 0 ? '' : resource.slice(dot + 1);
  return pattern.startsWith('*.') && pattern.slice(2) === group;
}

/** Bound to its place: an encrypted row that is copied over another does not open. */
const aboutOf = ({ resource, namespace, name }: ObjectKey): Uint8Array =>
  new TextEncoder().encode(`/registry/${resource}/${namespace}/${name}`);

const unreadable = ({ resource, namespace, name }: ObjectKey, reason: string): Error =>
  apiStoreErrors.UNREADABLE({ resource, name: namespace ? `${namespace}/${name}` : name, reason });

const toBase64 = (bytes: Uint8Array): string => {
  // In pieces: a call takes only so many arguments.
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
};
const fromBase64 = (text: string): Uint8Array => {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
};

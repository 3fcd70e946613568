// Reads an EncryptionConfiguration: which resources are encrypted on disk, and with which keys. The first provider of an
// entry writes, all of them read, so that keys can be replaced without a gap.
// Source: apiserver.config.k8s.io/v1, "Encrypting Confidential Data at Rest" in the Kubernetes documentation.
import { apiStoreErrors } from './store-errors.ts';

export interface EncryptionKey {
  readonly name: string;
  readonly secret: Uint8Array;
}

export type Provider =
  | { readonly by: 'aesgcm' | 'aescbc'; readonly keys: readonly EncryptionKey[] }
  | { readonly by: 'identity' };

export interface EncryptionRule {
  /** `secrets`, `configmaps`, `deployments.apps`, `*.apps`, `*.` (the core group) or `*.*`. */
  readonly resources: readonly string[];
  readonly providers: readonly Provider[];
}

const keySizes: readonly number[] = [16, 24, 32];

/** From the parsed document; throws APISTORE_ENCRYPTION_CONFIG with everything that is wrong with it. */
export function readEncryptionConfig(document: unknown): readonly EncryptionRule[] {
  const problems: string[] = [];
  const root = asRecord(document);
  if (root['kind'] !== 'EncryptionConfiguration' || root['apiVersion'] !== 'apiserver.config.k8s.io/v1') {
    problems.push('it needs kind EncryptionConfiguration and apiVersion apiserver.config.k8s.io/v1');
  }
  const entries = asList(root['resources']);
  if (entries.length === 0) problems.push('resources: Required value');
  const rules = entries.map((entry, n) => readRule(asRecord(entry), `resources[${n}]`, problems));
  if (problems.length > 0) throw apiStoreErrors.ENCRYPTION_CONFIG({ reason: problems.join('; ') });
  return rules;
}

function readRule(entry: Record<string, unknown>, at: string, problems: string[]): EncryptionRule {
  const resources = asList(entry['resources']).filter((name) => typeof name === 'string' && name !== '') as string[];
  if (resources.length === 0) problems.push(`${at}.resources: Required value`);
  const providers = asList(entry['providers']).flatMap((one, n) =>
    readProvider(one, `${at}.providers[${n}]`, problems),
  );
  if (asList(entry['providers']).length === 0) problems.push(`${at}.providers: Required value`);
  return { resources, providers };
}

function readProvider(value: unknown, at: string, problems: string[]): Provider[] {
  const [name, ...others] = Object.keys(asRecord(value));
  if (name === undefined || others.length > 0) {
    problems.push(`${at}: needs exactly one of aesgcm, aescbc and identity`);
    return [];
  }
  if (name === 'identity') return [{ by: 'identity' }];
  if (name !== 'aesgcm' && name !== 'aescbc') {
    problems.push(`${at}.${name}: is not supported here; use aesgcm, aescbc or identity`);
    return [];
  }
  const keys = asList(asRecord(asRecord(value)[name])['keys']).flatMap((key, n) =>
    readKey(asRecord(key), `${at}.${name}.keys[${n}]`, problems),
  );
  if (keys.length === 0) problems.push(`${at}.${name}.keys: Required value`);
  const names = keys.map((key) => key.name);
  if (new Set(names).size < names.length) problems.push(`${at}.${name}.keys: two keys have the same name`);
  return [{ by: name, keys }];
}

function readKey({ name, secret }: Record<string, unknown>, at: string, problems: string[]): EncryptionKey[] {
  // The name stands in front of what was encrypted, between colons.
  if (typeof name !== 'string' || !/^[^:\s]{1,64}$/.test(name)) {
    problems.push(`${at}.name: needs a name without colons and blanks`);
    return [];
  }
  const bytes = typeof secret === 'string' ? fromBase64(secret) : undefined;
  if (!bytes || !keySizes.includes(bytes.length)) {
    problems.push(`${at}.secret: needs 16, 24 or 32 bytes in base64`);
    return [];
  }
  return [{ name, secret: bytes }];
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

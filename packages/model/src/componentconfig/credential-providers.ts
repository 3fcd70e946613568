// Reads the kubelet's configuration of credential provider plugins (kubelet.config.k8s.io/v1 CredentialProviderConfig).
import { configErrors, type Problem } from '@kedge/core/config';
import { type Duration, parseDuration } from '@kedge/core/time';

export interface CredentialProvider {
  /** Of the program. */
  readonly name: string;
  /** Hosts, `*` for one label, with a port and the begin of a path where they matter. */
  readonly matchImages: readonly string[];
  readonly cacheFor: Duration;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const credentialProviderApi = 'credentialprovider.kubelet.k8s.io/v1';
const configApi = 'kubelet.config.k8s.io/v1';

interface Document {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly providers?: readonly Partial<
    Record<keyof CredentialProvider | 'defaultCacheDuration' | 'apiVersion', unknown>
  >[];
}

/** `content` is what the file says as plain values. Throws CONFIG_INVALID. */
export function readCredentialProviders(content: unknown, path: string): CredentialProvider[] {
  const problems: (Problem & { readonly from: string })[] = [];
  const complain = (at: string, say: string): void => void problems.push({ path: at, from: path, say });
  const { apiVersion, kind, providers } = (content ?? {}) as Document;
  if (apiVersion !== configApi || kind !== 'CredentialProviderConfig') {
    complain('kind', `needs to be CredentialProviderConfig of ${configApi}`);
  }
  const list = Array.isArray(providers) ? providers : [];
  if (list.length === 0) complain('providers', 'is empty, needs at least one');
  const read = list.map((provider: NonNullable<Document['providers']>[number], n: number): CredentialProvider => {
    const at = (key: string): string => `providers.${n}.${key}`;
    const name = String(provider.name ?? '');
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) complain(at('name'), `is "${name}", needs the name of a program`);
    const matchImages = textsOf(provider.matchImages);
    if (!matchImages || matchImages.length === 0) complain(at('matchImages'), 'needs at least one pattern');
    const cacheFor = parseDuration(String(provider.defaultCacheDuration ?? ''));
    if (cacheFor === undefined) complain(at('defaultCacheDuration'), 'needs a duration such as 10m');
    if (provider.apiVersion !== credentialProviderApi)
      complain(at('apiVersion'), `needs to be ${credentialProviderApi}`);
    const env = (Array.isArray(provider.env) ? provider.env : []) as { name?: string; value?: string }[];
    return {
      name,
      matchImages: matchImages ?? [],
      cacheFor: cacheFor ?? (0 as Duration),
      args: textsOf(provider.args) ?? [],
      env: Object.fromEntries(env.map((one) => [one.name ?? '', one.value ?? ''])),
    };
  });
  if (problems.length > 0) throw configErrors.INVALID({ problems });
  return read;
}

const textsOf = (value: unknown): string[] | undefined => (Array.isArray(value) ? value.map(String) : undefined);

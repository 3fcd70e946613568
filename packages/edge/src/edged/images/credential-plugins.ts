// Credential provider plugins: programs on the node that say how to get at images of their registries. Loaded where there
// are any. Source: "Configure a kubelet image credential provider" in the Kubernetes documentation.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Processes } from '@kedge/core/ports';
import { type Clock, type Duration, type Instant, minutes, parseDuration, plus } from '@kedge/core/time';
import type { AuthConfig } from '@kedge/wire/cri';
import type { EdgedConfig } from '../config.ts';
import type { ImageReference } from './image-reference.ts';
import { matchesImage, toAuth } from './pull-secrets.ts';

type Settings = NonNullable<EdgedConfig['credentialProviders']>;
type Provider = Settings['providers'][number];

interface Response {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly cacheKeyType?: string;
  readonly cacheDuration?: string;
  readonly auth?: Readonly<Record<string, { readonly username?: string; readonly password?: string }>> | null;
}

interface Cached {
  readonly auth: NonNullable<Response['auth']>;
  readonly until: Instant;
}

export interface CredentialPlugins {
  /** Whatever the plugins say for an image; one that fails says nothing. */
  credentials(image: ImageReference, signal: AbortSignal): Promise<AuthConfig[]>;
}

const api = 'credentialprovider.kubelet.k8s.io/v1';
const patience: Duration = minutes(1);
const maxCached = 128;

export function createCredentialPlugins(deps: {
  clock: Clock;
  log: Log;
  processes: Processes;
  settings: Settings;
}): CredentialPlugins {
  const { clock, processes, settings } = deps;
  const cache = new Map<string, Cached>();

  const keys = ({ name }: Provider, image: ImageReference): string[] =>
    [`Image ${image.name}`, `Registry ${image.registry}`, 'Global'].map((key) => `${name} ${key}`);

  async function run({ name, args, env }: Provider, image: ImageReference, signal: AbortSignal): Promise<Response> {
    const input = JSON.stringify({ apiVersion: api, kind: 'CredentialProviderRequest', image: image.name });
    const late = new AbortController();
    const until = AbortSignal.any([signal, late.signal]);
    void clock.sleep('credential provider', patience, until).then(
      () => late.abort(new Error('it took longer than a minute')),
      () => undefined,
    );
    try {
      const path = `${settings.binDirectory}/${name}`;
      const { code, stdout, stderr } = await processes.run(path, args, { input, env, signal: until });
      if (code !== 0) throw new Error(`it ended with ${code}: ${stderr.trim().slice(0, 300)}`);
      const response = JSON.parse(stdout) as Response;
      if (response.kind !== 'CredentialProviderResponse' || response.apiVersion !== api) {
        throw new Error(`its answer is not a CredentialProviderResponse of ${api}`);
      }
      return response;
    } finally {
      late.abort();
    }
  }

  async function ask(provider: Provider, image: ImageReference, signal: AbortSignal): Promise<Cached['auth']> {
    for (const key of keys(provider, image)) {
      const known = cache.get(key);
      if (known && clock.now() < known.until) return known.auth;
      cache.delete(key);
    }
    const { auth, cacheKeyType = 'Image', cacheDuration } = await run(provider, image, signal);
    const howLong =
      cacheDuration === undefined ? provider.cacheFor : (parseDuration(cacheDuration) ?? provider.cacheFor);
    const [image_ = '', registry = '', everything = ''] = keys(provider, image);
    const key = cacheKeyType === 'Global' ? everything : cacheKeyType === 'Registry' ? registry : image_;
    if (howLong > 0) cache.set(key, { auth: auth ?? {}, until: plus(clock.now(), howLong) });
    for (const oldest of cache.keys()) {
      if (cache.size <= maxCached) break;
      cache.delete(oldest);
    }
    return auth ?? {};
  }

  return {
    async credentials(image, signal) {
      const found: { key: string; auth: AuthConfig }[] = [];
      for (const provider of settings.providers) {
        if (!provider.matchImages.some((pattern) => matchesImage(pattern, image))) continue;
        try {
          for (const [key, entry] of Object.entries(await ask(provider, image, signal))) {
            if (matchesImage(key, image)) found.push({ key, auth: toAuth(entry) });
          }
        } catch (error) {
          signal.throwIfAborted();
          deps.log.warn('a credential provider failed', { name: provider.name, reason: explain(error) });
        }
      }
      return found.sort((a, b) => b.key.length - a.key.length).map(({ auth }) => auth);
    },
  };
}

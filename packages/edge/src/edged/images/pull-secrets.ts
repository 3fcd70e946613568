// Registry credentials out of image pull secrets, in both forms that docker has written them.
import type { Secret } from '@kedge/model/k8s-types';
import type { AuthConfig } from '@kedge/wire/cri';
import { decodeText } from '../env/environment.ts';
import type { ImageReference } from './image-reference.ts';

interface Entry {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** The credentials that fit an image, the most specific first. Malformed secrets count as empty. */
export function credentialsFor(image: ImageReference, secrets: readonly Secret[]): AuthConfig[] {
  const found: { key: string; auth: AuthConfig }[] = [];
  for (const secret of secrets) {
    for (const [key, entry] of entriesOf(secret)) {
      if (matchesImage(key, image)) found.push({ key, auth: toAuth(entry) });
    }
  }
  return found.sort((a, b) => b.key.length - a.key.length).map(({ auth }) => auth);
}

function entriesOf({ data = {} }: Secret): [string, Entry][] {
  try {
    if (data['.dockerconfigjson']) {
      const { auths = {} } = JSON.parse(decodeText(data['.dockerconfigjson'])) as { auths?: Record<string, Entry> };
      return Object.entries(auths);
    }
    if (data['.dockercfg']) return Object.entries(JSON.parse(decodeText(data['.dockercfg'])) as Record<string, Entry>);
  } catch {
    // A secret that cannot be read helps nobody; pulling goes on without it.
  }
  return [];
}

/** Keys are hosts, with or without scheme and path; `*` stands for one label of a host. */
export function matchesImage(key: string, { registry, repository }: ImageReference): boolean {
  const plain = key
    .replace(/^https?:\/\//, '')
    .replace(/^index\.docker\.io\/v1\/?$/, 'docker.io')
    .replace(/\/v[12]\/?$/, '');
  const slash = plain.indexOf('/');
  const host = slash < 0 ? plain : plain.slice(0, slash);
  const path = slash < 0 ? '' : plain.slice(slash + 1).replace(/\/$/, '');
  const wanted = registry === 'index.docker.io' ? 'docker.io' : registry;
  return matchesHost(host, wanted) && (path === '' || repository === path || repository.startsWith(`${path}/`));
}

function matchesHost(pattern: string, host: string): boolean {
  const parts = pattern.split('.');
  const actual = host.split('.');
  if (parts.length !== actual.length) return false;
  return parts.every((part, at) => part === actual[at] || (part === '*' && actual[at] !== ''));
}

export function toAuth(entry: Entry): AuthConfig {
  const pair = entry.auth ? decodeText(entry.auth) : '';
  const colon = pair.indexOf(':');
  return {
    username: entry.username ?? (colon < 0 ? '' : pair.slice(0, colon)),
    password: entry.password ?? (colon < 0 ? '' : pair.slice(colon + 1)),
    identityToken: entry.identitytoken ?? '',
    registryToken: entry.registrytoken ?? '',
  };
}

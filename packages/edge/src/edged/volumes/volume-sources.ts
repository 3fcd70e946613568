// Fetches what configMap, secret, downwardAPI and projected volumes are made of, and for how long it holds.
import { type Instant, minus, type Duration, between, instant } from '@kedge/core/time';
import type {
  ConfigMap,
  Pod,
  Secret,
  ServiceAccountTokenProjection,
  Volume,
  VolumeProjection,
} from '@kedge/model/k8s-types';
import type { PodAddresses } from '../env/field-path.ts';
import type { Allocatable } from '../env/resource-field.ts';
import { allContainersOf, specOf, uidOf } from '../pod/pod-spec.ts';
import { effectiveContext } from '../runtime/security-context.ts';
import type { Tokens } from '../ports.ts';
import {
  configMapFiles,
  defaultFileMode,
  downwardFiles,
  isSafePath,
  secretFiles,
  type VolumeFile,
} from './volume-file.ts';

export interface VolumeInputs {
  readonly pod: Pod;
  readonly addresses: PodAddresses;
  readonly allocatable: Allocatable;
  readonly now: Instant;
  /** Undefined when there is none; throws when it cannot be had just now. */
  readonly configMap: (name: string) => Promise<ConfigMap | undefined>;
  readonly secret: (name: string) => Promise<Secret | undefined>;
  readonly tokens: Tokens;
}

export type VolumeContent =
  | {
      readonly ok: true;
      readonly files: readonly VolumeFile[];
      /** When a token in it has to be renewed. */
      readonly renewAt: Instant | undefined;
    }
  | { readonly ok: false; readonly problem: string };

/** Undefined for a volume that does not consist of files from the API. */
export async function volumeContent(
  volume: Volume,
  inputs: VolumeInputs,
  signal: AbortSignal,
): Promise<VolumeContent | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  const parts = new Parts();
  if (configMap) {
    await addProjection({ configMap }, configMap.defaultMode ?? defaultFileMode, inputs, parts, signal);
  } else if (secret) {
    const { secretName, items, optional } = secret;
    const named = {
      ...(secretName ? { name: secretName } : {}),
      ...(items ? { items } : {}),
      ...(optional ? { optional } : {}),
    };
    await addProjection({ secret: named }, secret.defaultMode ?? defaultFileMode, inputs, parts, signal);
  } else if (downwardAPI) {
    await addProjection({ downwardAPI }, downwardAPI.defaultMode ?? defaultFileMode, inputs, parts, signal);
  } else if (projected) {
    const mode = projected.defaultMode ?? defaultFileMode;
    for (const source of projected.sources ?? []) await addProjection(source, mode, inputs, parts, signal);
  } else return undefined;
  return parts.content();
}

class Parts {
  readonly #files = new Map<string, VolumeFile>();
  readonly #problems: string[] = [];
  #renewAt: Instant | undefined;

  add(what: VolumeFile[] | string): void {
    if (typeof what === 'string') return void this.#problems.push(what);
    for (const file of what) {
      if (isSafePath(file.path)) this.#files.set(file.path, file);
      else this.#problems.push(`the path "${file.path}" leads out of the volume`);
    }
  }

  renewAt(at: Instant): void {
    if (this.#renewAt === undefined || at < this.#renewAt) this.#renewAt = at;
  }

  content(): VolumeContent {
    if (this.#problems.length > 0) return { ok: false, problem: this.#problems.join('; ') };
    return { ok: true, files: [...this.#files.values()], renewAt: this.#renewAt };
  }
}

async function addProjection(
  source: VolumeProjection,
  mode: number,
  inputs: VolumeInputs,
  parts: Parts,
  signal: AbortSignal,
): Promise<void> {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle } = source;
  if (configMap) {
    const { name = '', items, optional = false } = configMap;
    const found = await inputs.configMap(name);
    if (!found && !optional) return parts.add(`configmap "${name}" not found`);
    parts.add(configMapFiles(found ?? {}, { items, mode, optional }));
  } else if (secret) {
    const { name = '', items, optional = false } = secret;
    const found = await inputs.secret(name);
    if (!found && !optional) return parts.add(`secret "${name}" not found`);
    parts.add(secretFiles(found ?? {}, { items, mode, optional }));
  } else if (downwardAPI) {
    parts.add(downwardFiles(downwardAPI.items ?? [], mode, inputs));
  } else if (serviceAccountToken) {
    await addToken(serviceAccountToken, mode, inputs, parts, signal);
  } else if (clusterTrustBundle) {
    parts.add('clusterTrustBundle sources are not supported');
  }
}

async function addToken(
  { path, audience, expirationSeconds = 3_600 }: ServiceAccountTokenProjection,
  mode: number,
  { pod, tokens, now }: VolumeInputs,
  parts: Parts,
  signal: AbortSignal,
): Promise<void> {
  const outcome = await tokens.request(
    {
      namespace: pod.metadata.namespace ?? '',
      serviceAccount: specOf(pod).serviceAccountName ?? 'default',
      pod: { name: pod.metadata.name ?? '', uid: uidOf(pod) },
      audiences: audience ? [audience] : [],
      expirationSeconds,
    },
    signal,
  );
  if (!outcome.ok) return parts.add(`no token could be had: ${outcome.status.message ?? outcome.status.reason}`);
  const { token, expiresAt } = outcome.value;
  parts.add([{ path, content: new TextEncoder().encode(token), ...tokenOwner(pod, mode) }]);
  parts.renewAt(renewalOf(now, expiresAt));
}

/** After four fifths of what is left of its life, and after a day at the latest. */
function renewalOf(now: Instant, expiresAt: Instant): Instant {
  const left = Math.max(0, between(now, expiresAt));
  const day = 24 * 3_600_000;
  return left > day ? instant(now + Math.min(day, left * 0.8)) : minus(expiresAt, (left * 0.2) as Duration);
}

/** A token belongs to the user that all containers run as; when there is no one such user, all may read it. */
function tokenOwner(pod: Pod, mode: number): { mode: number; uid?: number } {
  if (specOf(pod).securityContext?.fsGroup !== undefined) return { mode: 0o600 };
  const users = new Set(allContainersOf(pod).map((container) => effectiveContext(pod, container).runAsUser));
  const [only] = users;
  return users.size === 1 && only !== undefined ? { mode: 0o600, uid: only } : { mode };
}

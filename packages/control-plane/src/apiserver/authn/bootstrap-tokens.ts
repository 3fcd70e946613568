// Bootstrap tokens (`abcdef.0123456789abcdef`): Secrets of kube-system that let a machine ask for a certificate, for a while.
import { type Clock, parseTime } from '@kedge/core/time';
import type { ApiUser } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import type { Secret } from '@kedge/model/k8s-types';

export interface BootstrapTokenDeps {
  readonly clock: Clock;
  read(resource: 'secrets', namespace: string, name: string): KubeObject | undefined;
}

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const ownGroup = 'system:bootstrappers';
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Who shows this token; undefined when it is none of ours, has run out, or is not meant for this. */
export function bootstrapUser(token: string, { clock, read }: BootstrapTokenDeps): ApiUser | undefined {
  const [, id = '', shown = ''] = form.exec(token) ?? [];
  if (!id) return undefined;
  const secret = read('secrets', 'kube-system', `bootstrap-token-${id}`) as unknown as Secret | undefined;
  if (!secret || secret.type !== 'bootstrap.kubernetes.io/token' || secret.metadata.deletionTimestamp) return undefined;
  const field = (name: string): string => decoded(secret.data?.[name]);
  if (field('token-id') !== id || !isSame(field('token-secret'), shown)) return undefined;
  if (field('usage-bootstrap-authentication') !== 'true') return undefined;
  const expires = field('expiration');
  // What cannot be read as a time has run out.
  if (expires && (parseTime(expires) ?? 0) <= clock.now()) return undefined;
  const groups = field('auth-extra-groups')
    .split(',')
    .map((group) => group.trim())
    .filter(Boolean);
  if (!groups.every((group) => groupForm.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [ownGroup, ...groups, 'system:authenticated'] };
}

function decoded(base64: string | undefined): string {
  try {
    return atob(base64 ?? '');
  } catch {
    return '';
  }
}

/** Takes as long for a wrong token as for a right one. */
function isSame(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return difference === 0;
}

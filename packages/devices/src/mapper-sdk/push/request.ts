// One request to a target over HTTP: a success, or an error that says what came instead.
import type { HttpRequest } from '@kedge/core/ports';
import { mapperErrors } from '../sdk-errors.ts';
import type { PushDeps } from './target.ts';

export async function request({ http }: PushDeps, target: string, what: HttpRequest): Promise<string> {
  const response = await http.request(what);
  const text = await response.text(64 * 1024);
  if (response.status < 200 || response.status > 299) {
    throw mapperErrors.PUSH_FAILED({ target, reason: `HTTP ${response.status} ${text.slice(0, 200)}`.trim() });
  }
  return text;
}

/** `2026-01-01 00:00:00`, in UTC. */
export const plainTime = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ');

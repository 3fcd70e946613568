// One request to a target over HTTP: a success, or an error that says what came instead.
import type { HttpRequest } from '@kedge/core/ports';
import { mapperErrors } from '../sdk-errors.ts';
import type { PushDeps } from './target.ts';

/** Answers to what was sent, which will be the same the next time. Others are about the target, its rights or its load. */
const refusals: readonly number[] = [400, 413, 422];

export async function request(deps: PushDeps, target: string, what: HttpRequest): Promise<string> {
  const { status, text } = await ask(deps, what);
  return textOrError(target, status, text);
}

export async function ask(
  { http }: PushDeps,
  what: HttpRequest,
): Promise<{ status: number; headers: Readonly<Record<string, string>>; text: string }> {
  const response = await http.request(what);
  return { status: response.status, headers: response.headers, text: await response.text(64 * 1024) };
}

export function textOrError(target: string, status: number, text: string): string {
  if (status >= 200 && status <= 299) return text;
  const details = { target, reason: `HTTP ${status} ${text.slice(0, 200)}`.trim() };
  throw refusals.includes(status) ? mapperErrors.PUSH_REFUSED(details) : mapperErrors.PUSH_FAILED(details);
}

/** `2026-01-01 00:00:00`, in UTC. */
export const plainTime = (at: number): string => new Date(at).toISOString().slice(0, 19).replace('T', ' ');

export const basic = (user: string, password: string): string =>
  `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${user}:${password}`)))}`;

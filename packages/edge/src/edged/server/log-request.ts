// `/containerLogs/{namespace}/{pod}/{container}` and its parameters, which are those of `kubectl logs`.
// Source: v1 PodLogOptions.
import { instant, type Instant, milliseconds, minus, parseTime, seconds } from '@kedge/core/time';
import type { LogOptions } from './container-log.ts';

export interface LogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly previous: boolean;
  readonly options: LogOptions;
}

/** The request, or what is wrong with it. */
export function readLogRequest(path: string, query: URLSearchParams, now: Instant): LogRequest | { say: string } {
  const parts = path.split('/').slice(2);
  let names: string[];
  try {
    names = parts.map(decodeURIComponent);
  } catch {
    return { say: 'the path is not properly percent-encoded' };
  }
  const [namespace, pod, container] = names;
  if (!namespace || !pod || !container || names.length !== 3) {
    return { say: 'the path needs to be /containerLogs/{namespace}/{pod}/{container}' };
  }
  const problems: string[] = [];
  const whole = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
    problems.push(`${name} is "${text}", needs a whole number of at least ${least}`);
    return undefined;
  };
  const flag = (name: string): boolean => {
    const text = query.get(name);
    if (text === null || text === '' || text === 'false' || text === '0') return false;
    if (text === 'true' || text === '1') return true;
    problems.push(`${name} is "${text}", needs to be true or false`);
    return false;
  };
  const sinceTime = query.get('sinceTime');
  const sinceSeconds = whole('sinceSeconds', 1);
  if (sinceTime && parseTime(sinceTime) === undefined) problems.push(`sinceTime is "${sinceTime}", needs RFC 3339`);
  if (sinceTime && sinceSeconds !== undefined) problems.push('at most one of sinceTime and sinceSeconds may be there');
  const stream = query.get('stream') ?? 'All';
  if (!['All', 'Stdout', 'Stderr'].includes(stream)) {
    problems.push(`stream is "${stream}", needs to be All, Stdout or Stderr`);
  }
  const request: LogRequest = {
    namespace,
    pod,
    container,
    previous: flag('previous'),
    options: {
      follow: flag('follow'),
      timestamps: flag('timestamps'),
      tailLines: whole('tailLines', 0),
      limitBytes: whole('limitBytes', 1),
      since:
        sinceSeconds === undefined
          ? parseTime(sinceTime)
          : minus(now, milliseconds(Math.min(seconds(sinceSeconds), now - instant(0)))),
      stream: stream === 'Stdout' ? 'stdout' : stream === 'Stderr' ? 'stderr' : undefined,
    },
  };
  return problems.length > 0 ? { say: problems.join('; ') } : request;
}

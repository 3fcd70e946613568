// Asks a container once: by a command in it, a GET, a connection, or a gRPC health check.
import type { ProbeNetwork } from '@kedge/core/ports';
import { explain } from '@kedge/core/errors';
import { type Clock, milliseconds, seconds, withTimeout } from '@kedge/core/time';
import type { Container, Probe } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { rpcCodeOf } from '@kedge/wire/rpc';
import { portNumber } from './probe-target.ts';

/** `unknown`: the question could not be asked; it counts for nothing. */
export type ProbeResult =
  | { readonly is: 'unknown' }
  /** `warning`: it counts, but somebody should look. */
  | { readonly is: 'success'; readonly warning?: string }
  | { readonly is: 'failure'; readonly message: string };

export interface ProbeSubject {
  readonly container: Container;
  readonly containerId: string;
  readonly podIp: string;
}

const longestMessage = 1_024;
/** Source: "HTTP probes" in the Kubernetes documentation: the eleventh is not followed. */
const redirectsFollowed = 10;
const redirects: readonly number[] = [301, 302, 303, 307, 308];
/** Answers of the gRPC health checking protocol. */
const servingStates = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const serving = 1;

export type RunProbe = (probe: Probe, subject: ProbeSubject, signal: AbortSignal) => Promise<ProbeResult>;

export function createRunProbe(deps: { cri: Cri; clock: Clock; network: ProbeNetwork }): RunProbe {
  const { cri, clock, network } = deps;

  async function runExec(
    command: string[],
    limit: number,
    containerId: string,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    try {
      const request = { containerId, cmd: command, timeout: BigInt(Math.ceil(limit)) };
      const { exitCode, stdout, stderr } = await cri.execSync(request, { signal, timeout: seconds(limit + 5) });
      if (exitCode === 0) return { is: 'success' };
      const decoder = new TextDecoder();
      return failure(decoder.decode(stdout) + decoder.decode(stderr));
    } catch (error) {
      signal.throwIfAborted();
      if (rpcCodeOf(error) === 'DEADLINE_EXCEEDED') return failure(`command timed out after ${limit}s`);
      // The container is gone or the runtime does not answer: that is not the container's failure.
      return { is: 'unknown' };
    }
  }

  async function runHttp(
    { scheme, host, port, path, httpHeaders }: NonNullable<Probe['httpGet']>,
    { container, podIp }: ProbeSubject,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const number = portNumber(container, port);
    if (number === undefined) return failure(`there is no port "${port}"`);
    const headers = (httpHeaders ?? []).map(({ name, value }) => [name, value] as const);
    const first = { scheme: scheme === 'HTTPS' ? ('https' as const) : ('http' as const), host: host || podIp };
    let at: HttpTarget = { ...first, port: number, path: path || '/' };
    for (let followed = 0; ; followed++) {
      const { status, location } = await network.get({ ...at, headers }, signal);
      if (status < 200 || status >= 400) return failure(`HTTP probe failed with statuscode: ${status}`);
      if (!redirects.includes(status) || location === undefined) return { is: 'success' };
      const next = redirected(at, location);
      // What another host would say is not about this container.
      if (next?.host !== first.host.toLowerCase() || followed === redirectsFollowed) {
        return {
          is: 'success',
          warning: `Probe terminated redirects, the last one to ${location}`.slice(0, longestMessage),
        };
      }
      at = next;
    }
  }

  async function runGrpc(
    { port, service = '' }: NonNullable<Probe['grpc']>,
    { podIp }: ProbeSubject,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const status = await network.grpcHealth({ host: podIp, port, service }, signal);
    if (status === serving) return { is: 'success' };
    return failure(`service unhealthy (responded with "${servingStates[status] ?? status}")`);
  }

  return async (probe, subject, signal) => {
    const limit = probe.timeoutSeconds ?? 1;
    if (probe.exec) return runExec(probe.exec.command ?? [], limit, subject.containerId, signal);
    const late = new AbortController();
    const either = AbortSignal.any([signal, late.signal]);
    const ask = async (): Promise<ProbeResult> => {
      if (probe.httpGet) return runHttp(probe.httpGet, subject, either);
      if (probe.grpc) return runGrpc(probe.grpc, subject, either);
      const { host, port = 0 } = probe.tcpSocket ?? {};
      const number = portNumber(subject.container, port);
      if (number === undefined) return failure(`there is no port "${port}"`);
      await network.connect({ host: host ?? subject.podIp, port: number }, either);
      return { is: 'success' };
    };
    try {
      const timedOut = (): Error => new Error(`no answer within ${limit}s`);
      return await withTimeout(clock, 'answer to a probe', milliseconds(limit * 1_000), ask(), timedOut);
    } catch (error) {
      signal.throwIfAborted();
      return failure(explain(error));
    } finally {
      late.abort();
    }
  };
}

const failure = (message: string): ProbeResult => ({ is: 'failure', message: message.trim().slice(0, longestMessage) });

type HttpTarget = Omit<Parameters<ProbeNetwork['get']>[0], 'headers'>;

/** Undefined where it leads to nothing that a probe can ask. */
function redirected({ scheme, host, port, path }: HttpTarget, location: string): HttpTarget | undefined {
  const base = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const from = `${base}${path.startsWith('/') ? path : `/${path}`}`;
  let url: URL;
  try {
    url = new URL(location, from);
  } catch {
    return undefined;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  const isSecure = url.protocol === 'https:';
  return {
    scheme: isSecure ? 'https' : 'http',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
  };
}

// The kubelet's endpoints on this node: what it runs, what that uses, and what containers print. Everything but
// `/healthz` asks for a client certificate of the cluster's CA. Nothing here changes anything.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import { backoffDelay, type Scope } from '@kedge/core/flow';
import type { Files, Host, HttpServers, Listening, ServerRequest, ServerResponse, TlsFiles } from '@kedge/core/ports';
import { type Clock, instant, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { authorizeCaller } from './authorize-caller.ts';
import { cadvisorMetrics } from './cadvisor-metrics.ts';
import { readLog } from './container-log.ts';
import { type ContainerUsage, readContainerUsage } from '../runtime/container-usage.ts';
import { readLogRequest } from './log-request.ts';
import { resourceMetrics } from './resource-metrics.ts';
import { statsSummary } from './stats-summary.ts';

export interface KubeletServerConfig {
  readonly address: string;
  readonly port: number;
}

export interface KubeletServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'format'>;
  readonly servers: HttpServers;
  readonly cri: Cri;
  readonly files: Files;
  readonly host: Host;
  readonly node: string;
  readonly site: string;
  readonly rootDirectory: string;
  /** The certificate that this node shows, and word of a new one. */
  readonly serving: { current(): TlsFiles; listen(onRenewed: () => void): () => void };
  /** PEM of the CA of the Kubernetes API; undefined as long as nobody knows it. */
  readonly clientCa: (signal: AbortSignal) => Promise<string | undefined>;
  /** With the newest status of each. */
  readonly pods: () => readonly Pod[];
  /** The log file of a container: the running or last one, or the one before it. */
  readonly logFile: (pod: Pod, container: string, previous: boolean) => Promise<string | undefined>;
}

const plain = { 'content-type': 'text/plain; charset=utf-8' };
const json = { 'content-type': 'application/json' };
const exposition = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
/** The CA comes with the link, moments after a first start. */
const retryPace = { first: seconds(1), max: seconds(30) } as const;
const runtimeTimeout = seconds(10);
/** Followers of logs hold a connection each. */
const logReadersLimit = 64;

export function startKubeletServer(deps: KubeletServerDeps, config: KubeletServerConfig, scope: Scope): void {
  const { clock, servers, serving } = deps;
  const log = deps.log.child({ module: 'kubelet server' });
  const handle = createKubeletHandler(deps);

  async function listen(signal: AbortSignal): Promise<Listening | undefined> {
    try {
      const clientCa = await deps.clientCa(signal);
      if (clientCa === undefined) {
        log.debug('the CA of the cluster is not known yet', { port: config.port });
        return undefined;
      }
      const tls = { ...serving.current(), clientCa, clientAuth: 'request' as const };
      return await servers.listen({ ...config, tls, handler: handle });
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn('the endpoints of the kubelet are not served yet', { port: config.port, reason: explain(error) });
      return undefined;
    }
  }

  scope.spawn('kubelet endpoints', async (signal) => {
    let listening = await listen(signal);
    for (let attempt = 0; !listening; attempt++) {
      await clock.sleep('kubelet endpoints to be served', backoffDelay(attempt, retryPace), signal);
      listening = await listen(signal);
    }
    const served = listening;
    scope.defer('kubelet endpoints', () => served.close());
    scope.defer(
      'kubelet certificate',
      serving.listen(() => served.renew(serving.current())),
    );
    log.info('the endpoints of the kubelet are served', { address: served.address, port: served.port });
  });
}

/** Answers one request; for tests it needs no listener. */
export function createKubeletHandler(deps: KubeletServerDeps) {
  const { clock, cri, files, host } = deps;
  let logReaders = 0;

  const usage = (signal: AbortSignal): Promise<ContainerUsage[]> =>
    readContainerUsage(cri, deps.site, { signal, timeout: runtimeTimeout });

  async function nodeUsage() {
    const [load, facts, cpu] = await Promise.all([host.load(), host.facts(), host.cpuTime()]);
    return { load, facts, cpu };
  }

  async function resources(signal: AbortSignal): Promise<string> {
    const { load, facts, cpu } = await nodeUsage();
    const node = {
      at: clock.now(),
      cpuSeconds: cpu.busySeconds,
      workingSetBytes: facts.memoryBytes - load.availableMemoryBytes,
    };
    try {
      return resourceMetrics(await usage(signal), node, false);
    } catch (error) {
      signal.throwIfAborted();
      deps.log.debug('the runtime does not say what containers use', { reason: explain(error) });
      return resourceMetrics([], node, true);
    }
  }

  async function summary(signal: AbortSignal): Promise<object> {
    const [{ load, facts, cpu }, disk, containers] = await Promise.all([
      nodeUsage(),
      files.space(deps.rootDirectory),
      usage(signal),
    ]);
    return statsSummary({
      node: deps.node,
      now: clock.now(),
      bootedAt: cpu.bootedAt > 0 ? instant(cpu.bootedAt) : undefined,
      cpuSeconds: cpu.busySeconds,
      memoryBytes: facts.memoryBytes,
      availableBytes: load.availableMemoryBytes,
      disk,
      processes: { now: load.processes, limit: load.maxProcesses },
      containers,
      pods: deps.pods(),
    });
  }

  async function logs({ path, query, signal }: ServerRequest, response: ServerResponse): Promise<void> {
    const request = readLogRequest(path, query, clock.now());
    if ('say' in request) return response.send(400, plain, `${request.say}\n`);
    const { namespace, container, options, previous } = request;
    const pod = deps.pods().find(({ metadata }) => metadata.namespace === namespace && metadata.name === request.pod);
    if (!pod) return response.send(404, plain, `pod "${request.pod}" does not exist\n`);
    const file = await deps.logFile(pod, container, previous);
    if (file === undefined) return response.send(404, plain, missingLog(pod, container, previous));
    if (logReaders >= logReadersLimit)
      return response.send(429, { ...plain, 'retry-after': '5' }, 'too many readers of logs\n');
    logReaders += 1;
    try {
      const stream = response.stream(200, plain);
      const isWritten = (): boolean => !previous && isRunning(deps.pods(), pod, container);
      for await (const piece of readLog({ files, clock, path: file, isWritten }, options, signal)) {
        if (!stream.write(piece)) await stream.drained();
      }
      stream.end();
    } finally {
      logReaders -= 1;
    }
  }

  return async (request: ServerRequest, response: ServerResponse): Promise<void> => {
    const { method, path, signal } = request;
    if (method !== 'GET') return response.send(405, { ...plain, allow: 'GET' }, 'only GET is served here\n');
    if (path === '/healthz') return response.send(200, plain, 'ok');
    const verdict = authorizeCaller(request.peer);
    if (!verdict.allow) return response.send(verdict.status, plain, `${verdict.say}\n`);
    if (path.startsWith('/containerLogs/')) return logs(request, response);
    switch (path) {
      case '/pods':
        return response.send(
          200,
          json,
          JSON.stringify({ apiVersion: 'v1', kind: 'PodList', metadata: {}, items: deps.pods() }),
        );
      case '/metrics':
        return response.send(200, exposition, deps.metrics.format());
      case '/metrics/resource':
        return response.send(200, exposition, await resources(signal));
      case '/metrics/cadvisor':
        return response.send(200, exposition, cadvisorMetrics(await usage(signal)));
      case '/stats/summary':
        return response.send(200, json, JSON.stringify(await summary(signal)));
      default:
        return response.send(
          404,
          plain,
          'there are /healthz, /pods, /metrics, /metrics/resource, /metrics/cadvisor, /stats/summary and /containerLogs\n',
        );
    }
  };
}

function isRunning(pods: readonly Pod[], { metadata: { uid } }: Pod, container: string): boolean {
  const { status } = pods.find(({ metadata }) => metadata.uid === uid) ?? {};
  const all = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  return all.find(({ name }) => name === container)?.state?.running !== undefined;
}

function missingLog({ metadata, spec }: Pod, container: string, previous: boolean): string {
  const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
  if (!all.some(({ name }) => name === container)) {
    return `container "${container}" is not one of pod "${metadata.name}": ${all.map(({ name }) => name).join(', ')}\n`;
  }
  return previous
    ? `previous terminated container "${container}" in pod "${metadata.name}" not found\n`
    : `container "${container}" in pod "${metadata.name}" has not started yet\n`;
}

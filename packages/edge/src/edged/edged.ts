// Edged as a module: reads the machine's facts, then runs pods and reports the node.
import type { Scope } from '@kedge/core/flow';
import type { Module } from '@kedge/core/module';
import type { Host, HostFacts } from '@kedge/core/ports';
import { createNodeFactsReader } from './node/node-facts.ts';
import { watchNodeProblems } from './node/node-problems.ts';
import { createNodeReporter } from './node/node-reporter.ts';
import type { NodeShutdown } from './node/node-shutdown.ts';
import { createPodPaths } from './runtime/pod-paths.ts';
import { type RunningPods, runPods } from './run-pods.ts';
import type { EdgedDeps } from './edged-deps.ts';

export function createEdged(deps: EdgedDeps): Module {
  const log = deps.log.child({ module: 'edged' });
  return {
    name: 'edged',
    async start(scope) {
      await deps.files.makeDirectory(deps.config.rootDirectory, { mode: 0o750 });
      const host = await rememberFacts(deps.host);
      const pods = await runPods({ ...deps, log, host }, host.known, scope);
      const shutdown = await followShutdowns({ ...deps, log }, pods, scope);
      startNode({ ...deps, log, host }, pods, shutdown, scope);
      await serveKubelet({ ...deps, log, host }, pods, scope);
    },
  };
}

/** The node asks for the facts now and then; pods take the newest, such as an address that came after boot. */
async function rememberFacts(host: Host): Promise<Host & { known(): HostFacts }> {
  let known = await host.facts();
  return {
    known: () => known,
    facts: async () => (known = await host.facts()),
    load: () => host.load(),
    cpuTime: () => host.cpuTime(),
    processors: () => host.processors(),
    memoryVictims: (place) => host.memoryVictims(place),
    isReadOnly: (path) => host.isReadOnly(path),
    hasAppArmor: () => host.hasAppArmor(),
  };
}

/** Loaded only where it is wanted: most edges answer no calls from outside. */
async function serveKubelet(deps: EdgedDeps, pods: RunningPods, scope: Scope): Promise<void> {
  const { config, server, files } = deps;
  if (!server || !config.server) return;
  const [{ startKubeletServer }, { createClusterCa }, { createLogFiles }] = await Promise.all([
    import('./server/kubelet-server.ts'),
    import('./server/cluster-ca.ts'),
    import('./server/log-files.ts'),
  ]);
  const { node, site, rootDirectory } = config;
  startKubeletServer(
    {
      ...deps,
      ...server,
      node,
      site,
      rootDirectory,
      clientCa: createClusterCa({ ...deps, rootDirectory }),
      pods: () => pods.list(),
      logFile: createLogFiles(files, createPodPaths(config)),
    },
    config.server,
    scope,
  );
}

/** Loaded only where pods get time to end when the machine goes down. */
async function followShutdowns(deps: EdgedDeps, pods: RunningPods, scope: Scope): Promise<NodeShutdown | undefined> {
  const { config, openShutdowns } = deps;
  if (!config.shutdown || !openShutdowns) return undefined;
  const [{ createNodeShutdown }, shutdowns] = await Promise.all([import('./node/node-shutdown.ts'), openShutdowns()]);
  const shutdown = createNodeShutdown({ ...deps, shutdowns, pods, settings: config.shutdown });
  shutdown.start(scope);
  return shutdown;
}

function startNode(deps: EdgedDeps, pods: RunningPods, shutdown: NodeShutdown | undefined, scope: Scope): void {
  const { cri, host, files, config } = deps;
  const facts = createNodeFactsReader({
    cri,
    host,
    files,
    rootDirectory: config.rootDirectory,
    images: (signal) => pods.images(signal),
    pressures: () => pods.pressures,
    extended: () => pods.extendedResources(),
    problems: () => shutdown?.problems() ?? [],
  });
  const reporter = createNodeReporter({ ...deps, facts, nodeMade: () => pods.reportAllAgain() });
  pods.onReturn(() => reporter.lookNow());
  pods.onPressure(() => reporter.lookNow());
  pods.onResources(() => reporter.lookNow());
  shutdown?.onChange(() => reporter.lookNow());
  reporter.start(scope);
  watchNodeProblems(
    {
      ...deps,
      events: pods.events,
      rootDirectory: config.rootDirectory,
      cloudClock: () => deps.asks.cloudClock?.(),
      clockWasSet() {
        pods.lookAgain();
        reporter.lookNow();
      },
    },
    scope,
  );
}

// A site taken apart: the same daemons as `kedge up` runs, but each started, cut off and killed by the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { pauseImage } from '@kedge/platform/containerd';
import { type RuntimeKind, runtimeKinds, type RuntimeUnderTest, runtimeUnderTest } from '@kedge/testing/runtime';
import type { EdgeRuntime } from '../../../apps/kedge/src/edge-runtime.ts';
import { cloudcoreConfig, edgecoreConfig } from '../../../apps/kedge/src/site/config-files.ts';
import { type SiteLayout, siteLayout, type SitePorts, sitePorts } from '../../../apps/kedge/src/site/layout.ts';
import { sampleImageSpec } from '../../../apps/kedge/src/site/workload.ts';
import { type Kubectl, kubectlFor } from './kubectl.ts';
import { createRealApi } from './real-api.ts';
import { freePortBase } from './ports.ts';
import { eventually, inCgroup, kedgeProgram, must } from './run.ts';

export type Part = 'apiserver' | 'cloudcore' | 'edgecore';

export interface Parts {
  readonly node: string;
  readonly kubectl: Kubectl;
  readonly kubeconfig: string;
  readonly marks: readonly string[];
  readonly hubPort: number;
  readonly runtime: RuntimeUnderTest;
  readonly layout: SiteLayout;
  readonly ports: SitePorts;
  /** The edge dials this port of the machine instead of the hub's. Before edgecore's first start. */
  routeEdgeThrough(port: number): void;
  /** The edge belongs to another cloudcore, by its WebSocket and HTTPS ports. Before edgecore's first start. */
  routeEdgeTo(hub: number, hubHttps: number): void;
  start(part: Part): Promise<void>;
  /** Starts everything in order and waits for the Ready node. */
  startAll(): Promise<void>;
  /** Sends the signal and waits for the end. */
  end(part: Part, signal: NodeJS.Signals): Promise<void>;
  pid(part: Part): number;
  /** What a daemon has logged. */
  logOf(part: Part): string;
  startRuntime(): Promise<void>;
  /** Ends the runtime's daemon alone; containers go on. */
  endRuntime(signal: NodeJS.Signals): Promise<void>;
  /** As a reboot does: edgecore, the runtime and every container gone, disks kept; then the runtime started again. */
  reboot(): Promise<void>;
  /** Removes the edge's database, as a replaced disk would; certificates stay. Only while edgecore is stopped. */
  wipeEdgeDatabase(): Promise<void>;
  waitReady(): Promise<void>;
  logs(): string;
  remove(): Promise<void>;
}

export interface PartsOptions {
  /** The API's and edgecore's directories are file systems of this many bytes each, so that a test can fill them. */
  readonly diskBytes?: number;
  /** A real kube-apiserver instead of the embedded API; see `realApiMissing`. */
  readonly realApi?: boolean;
  /** The embedded API without its controllers and scheduler: the test brings others. */
  readonly apiAlone?: boolean;
  /** Keys of edgecore's modules, over those of a site. */
  readonly edgeModules?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Keys of its tailoredKubeletConfig, over those of a site. */
  readonly kubeletConfig?: Readonly<Record<string, unknown>>;
  /** What edgecore runs on, whatever the environment says. */
  readonly edgeRuntime?: EdgeRuntime;
  /** What goes before edgecore's command, such as a namespace that it is to be in. */
  readonly edgeWithin?: readonly string[];
  /** Folder of a memory cgroup that edgecore is in from its first instruction. */
  readonly edgeCgroup?: string;
  /** What its pods run on; otherwise what `$KEDGE_TEST_RUNTIME` says, or containerd. */
  readonly runtimeKind?: RuntimeKind;
}

export async function createParts(
  name: string,
  {
    diskBytes,
    realApi: wantsRealApi,
    apiAlone = false,
    edgeModules = {},
    kubeletConfig = {},
    edgeRuntime,
    edgeWithin = [],
    edgeCgroup,
    runtimeKind = defaultRuntimeKind(),
  }: PartsOptions = {},
): Promise<Parts> {
  const parent = await mkdtemp(join(tmpdir(), `kedge-${name}-`));
  const layout = siteLayout(join(parent, 'site'));
  const ports = sitePorts(await freePortBase());
  const node = `edge-${name}`;
  const runtime = runtimeUnderTest(runtimeKind, layout.containerd);
  const kubectl = kubectlFor(layout.kubeconfig, parent);
  const children = new Map<Part, ChildProcess>();
  let haveToken = false;
  let edgePorts = ports;

  for (const directory of [layout.logs, layout.run, layout.api.directory, layout.edge.directory]) {
    await mkdir(directory, { recursive: true });
  }
  const disks = diskBytes === undefined ? [] : [layout.api.directory, layout.edge.directory];
  for (const disk of disks) await must('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', disk]);
  await mkdir(dirname(layout.edge.dmiSocket), { recursive: true });
  const apiConfig = {
    directory: layout.api.directory,
    address: '127.0.0.1',
    port: ports.api,
    kubeconfigs: { admin: layout.kubeconfig, cloudcore: layout.cloudcore.kubeconfig },
    ...(apiAlone ? { controllers: false, scheduler: false } : {}),
  };
  await writeFile(layout.api.config, JSON.stringify(apiConfig));
  await writeFile(layout.cloudcore.config, cloudcoreConfig(layout, ports));
  const realApi = wantsRealApi
    ? createRealApi({
        directory: join(layout.data, 'real-api'),
        port: ports.api,
        kubeconfigs: [layout.kubeconfig, layout.cloudcore.kubeconfig],
      })
    : undefined;
  await startRuntime();

  async function startRuntime(): Promise<void> {
    await runtime.start([await sampleImageSpec()]);
  }

  const configOf: Record<Part, string> = {
    apiserver: layout.api.config,
    cloudcore: layout.cloudcore.config,
    edgecore: layout.edge.config,
  };
  const logOf = (part: Part): string => join(layout.logs, `${part}.log`);

  async function start(part: Part): Promise<void> {
    if (part === 'edgecore' && !haveToken) await writeEdgeConfig();
    if (part === 'apiserver' && realApi) return realApi.start();
    launch(part);
    if (part === 'apiserver') {
      await eventually(
        'the API to be ready',
        async () => (await kubectl.try('get', '--raw', '/readyz')).code === 0,
        20_000,
      );
    }
  }

  /** Runs a part and, as the supervisor does, starts it again when it ends by itself. */
  function launch(part: Part): void {
    const log = openSync(logOf(part), 'a');
    const runtime = part === 'edgecore' && edgeRuntime ? ['--runtime', edgeRuntime] : [];
    const within = part === 'edgecore' ? edgeWithin : [];
    const command = [...within, kedgeProgram, part, '--config', configOf[part], ...runtime];
    const [program = '', ...args] = part === 'edgecore' && edgeCgroup ? inCgroup(edgeCgroup, command) : command;
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    children.set(part, child);
    child.once('exit', () => {
      if (children.get(part) === child) setTimeout(() => children.get(part) === child && launch(part), 300);
    });
  }

  async function writeEdgeConfig(): Promise<void> {
    const token = await eventually('a join token', async () => {
      const { stdout } = await kubectl.try(
        'get',
        'secret',
        '-n',
        'kubeedge',
        'tokensecret',
        '-o',
        'jsonpath={.data.tokendata}',
      );
      return stdout === '' ? undefined : Buffer.from(stdout, 'base64').toString('utf8');
    });
    const facts = { node, token, runtimeSocket: runtime.socket, cgroupRoot: runtime.cgroupRoot, pauseImage };
    const config = parse(edgecoreConfig(layout, edgePorts, facts)) as {
      modules: Record<string, object> & { edged: { tailoredKubeletConfig: object } };
    };
    Object.assign(config.modules.edged.tailoredKubeletConfig, kubeletConfig);
    for (const [name, keys] of Object.entries(edgeModules)) config.modules[name] = { ...config.modules[name], ...keys };
    await writeFile(layout.edge.config, stringify(config));
    haveToken = true;
  }

  async function end(part: Part, signal: NodeJS.Signals): Promise<void> {
    if (part === 'apiserver' && realApi) return realApi.end(signal);
    const child = children.get(part);
    children.delete(part);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal === 'SIGKILL') child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(timer);
  }

  const waitReady = async (): Promise<void> => {
    await eventually('the node to be Ready', async () => {
      const { stdout } = await kubectl.try(
        'get',
        'node',
        node,
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
      );
      return stdout === 'True';
    });
  };

  return {
    node,
    kubectl,
    kubeconfig: layout.kubeconfig,
    marks: [layout.data, ...runtime.marks],
    hubPort: ports.hub,
    routeEdgeTo(hub, hubHttps) {
      edgePorts = { ...ports, hub, hubHttps };
    },
    routeEdgeThrough(port) {
      edgePorts = { ...ports, hub: port };
    },
    runtime,
    layout,
    ports,
    start,
    async startAll() {
      await start('apiserver');
      await start('cloudcore');
      await start('edgecore');
      await waitReady();
    },
    end,
    pid: (part) => children.get(part)?.pid ?? 0,
    logOf: (part) => readLog(logOf(part)),
    startRuntime,
    async endRuntime(signal) {
      const pid = await runtime.pid();
      if (pid === undefined) return;
      process.kill(pid, signal);
      await eventually('the runtime to end', async () => (await runtime.pid()) === undefined);
    },
    async reboot() {
      await end('edgecore', 'SIGKILL');
      await runtime.stop();
      await startRuntime();
    },
    async wipeEdgeDatabase() {
      for (const suffix of ['', '-wal', '-shm'])
        await rm(join(layout.edge.directory, `edgecore.db${suffix}`), { force: true });
    },
    waitReady,
    logs() {
      return (['apiserver', 'cloudcore', 'edgecore'] as const)
        .map((part) => `--- ${part}\n${readLog(logOf(part)).split('\n').slice(-60).join('\n')}`)
        .join('\n');
    },
    async remove() {
      for (const part of ['edgecore', 'cloudcore', 'apiserver'] as const) await end(part, 'SIGTERM');
      await runtime.stop();
      for (const disk of disks) await must('umount', [disk]);
      await rm(parent, { recursive: true, force: true });
    },
  };
}

export function defaultRuntimeKind(): RuntimeKind {
  const named = process.env['KEDGE_TEST_RUNTIME'] ?? 'containerd';
  const found = runtimeKinds.find((kind) => kind === named);
  if (!found) throw new Error(`KEDGE_TEST_RUNTIME is one of ${runtimeKinds.join(', ')}, not ${named}`);
  return found;
}

/** Empty when it was never started. */
function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

// Starts a Go cloudcore from the folder that $PEERS names, on ports of its own, against the API of a kubeconfig.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@kedge/testing/free-port';
import { parse, stringify } from 'yaml';

export interface GoCloudCore {
  readonly httpsPort: number;
  readonly hubPort: number;
  /** Where the router takes HTTP. */
  readonly routerPort: number | undefined;
  readonly pid: number;
  readonly log: () => string;
  stop(): Promise<void>;
}

/** The program, or why there is none. */
export function findPeer(name: string): { path: string } | { missing: string } {
  const folder = process.env['PEERS'];
  if (!folder) return { missing: `$PEERS names no folder with ${name}` };
  const path = join(folder, name);
  return existsSync(path) ? { path } : { missing: `${path} does not exist` };
}

/**
 * The kubeconfig with its CA in a file beside it, as cloudcore has it in a cluster: the edges that ask for the CA are told
 * nothing by a Go cloudcore whose kubeconfig holds it.
 */
export async function withCaFile(kubeconfig: string): Promise<string> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as { clusters: { cluster: Record<string, string> }[] };
  for (const { cluster } of config.clusters) {
    const { 'certificate-authority-data': data = '' } = cluster;
    delete cluster['certificate-authority-data'];
    cluster['certificate-authority'] = `${kubeconfig}.ca.crt`;
    await writeFile(`${kubeconfig}.ca.crt`, Buffer.from(data, 'base64'));
  }
  const path = `${kubeconfig}.ca-file`;
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}

/** `instead`: listens where another one did. `devices`: with DeviceController, for more nodes. `router`: with rules. */
export async function startGoCloudCore(
  program: string,
  kubeconfig: string,
  instead?: Pick<GoCloudCore, 'httpsPort' | 'hubPort'>,
  { devices = false, router = false }: { devices?: boolean; router?: boolean } = {},
): Promise<GoCloudCore> {
  const folder = mkdtempSync(join(tmpdir(), 'go-cloudcore-'));
  const metricsPort = await freePort();
  const routerPort = router ? await freePort() : undefined;
  const { httpsPort, hubPort } = instead ?? { httpsPort: await freePort(), hubPort: await freePort() };
  writeFileSync(
    join(folder, 'cloudcore.yaml'),
    stringify(configOf(folder, kubeconfig, { httpsPort, hubPort, metricsPort, routerPort }, devices)),
  );
  const child = spawn(program, [`--config=${join(folder, 'cloudcore.yaml')}`, devices ? '--v=0' : '--v=4'], {
    cwd: folder,
    env: { ...process.env, HOME: folder },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString('utf8')).slice(-2_000_000);
    });
  }
  return {
    httpsPort,
    hubPort,
    routerPort,
    pid: child.pid!,
    log: () => log,
    async stop() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

function configOf(
  folder: string,
  kubeconfig: string,
  ports: { httpsPort: number; hubPort: number; metricsPort: number; routerPort: number | undefined },
  devices: boolean,
): unknown {
  const off = { enable: false };
  return {
    apiVersion: 'cloudcore.config.kubeedge.io/v1alpha2',
    kind: 'CloudCore',
    kubeAPIConfig: { kubeConfig: kubeconfig, qps: 100, burst: 200 },
    commonConfig: { monitorServer: { bindAddress: `127.0.0.1:${ports.metricsPort}` } },
    modules: {
      cloudHub: {
        advertiseAddress: ['127.0.0.1'],
        nodeLimit: devices ? 1_000 : 10,
        tlsCAFile: join(folder, 'ca.crt'),
        tlsCAKeyFile: join(folder, 'ca.key'),
        tlsCertFile: join(folder, 'server.crt'),
        tlsPrivateKeyFile: join(folder, 'server.key'),
        unixsocket: { enable: false, address: `unix://${folder}/kubeedge.sock` },
        websocket: { enable: true, address: '127.0.0.1', port: ports.hubPort },
        quic: { enable: false, address: '127.0.0.1', port: ports.hubPort },
        https: { enable: true, address: '127.0.0.1', port: ports.httpsPort },
      },
      cloudStream: off,
      dynamicController: off,
      deviceController: { enable: devices },
      iptablesManager: off,
      router: ports.routerPort === undefined ? off : { enable: true, address: '127.0.0.1', port: ports.routerPort },
      taskManager: off,
    },
  };
}

// A real kube-apiserver with its etcd, where the environment names them: `KUBE_APISERVER` and `ETCD` are paths of the two
// programs. Everything they write is below one directory.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { eventually, run } from './run.ts';

export interface RealApi {
  start(): Promise<void>;
  end(signal: NodeJS.Signals): Promise<void>;
  /** Process ids of etcd and kube-apiserver while they run. */
  pids(): readonly number[];
}

/** Why there is none; undefined when both programs are there. */
export function realApiMissing(): string | undefined {
  for (const name of ['KUBE_APISERVER', 'ETCD']) {
    const path = process.env[name];
    if (!path) return `$${name} names no program`;
    if (!existsSync(path)) return `$${name} is ${path}, which does not exist`;
  }
  return undefined;
}

export interface RealApiOptions {
  readonly directory: string;
  /** The API listens here; etcd takes the next two. */
  readonly port: number;
  /** Where the administrator's kubeconfig goes. */
  readonly kubeconfigs: readonly string[];
}

const dayMs = 86_400_000;

async function writeCredentials({ directory, port, kubeconfigs }: RealApiOptions): Promise<void> {
  const now = Date.now();
  const validity = { notBefore: now - dayMs, notAfter: now + dayMs };
  const subject = (commonName: string, ...organizations: string[]) => ({ commonName, organizations });
  const ca = await createCertificateAuthorities().createAuthority({ subject: subject('test-ca'), ...validity });
  const addresses = ['127.0.0.1', '10.96.0.1'];
  const serving = await ca.issueWithKey({
    subject: subject('kube-apiserver'),
    addresses,
    usages: ['serverAuth'],
    ...validity,
  });
  const admin = await ca.issueWithKey({
    subject: subject('admin', 'system:masters'),
    usages: ['clientAuth'],
    ...validity,
  });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const files: Record<string, string> = {
    'ca.crt': ca.certificatePem,
    'serving.crt': serving.certificatePem,
    'serving.key': serving.key.reveal(),
    'sa.key': privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    'sa.pub': publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text, { mode: 0o600 });
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'real',
    contexts: [{ name: 'real', context: { cluster: 'real', user: 'admin' } }],
    clusters: [
      {
        name: 'real',
        cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': base64(ca.certificatePem) },
      },
    ],
    users: [
      {
        name: 'admin',
        user: {
          'client-certificate-data': base64(admin.certificatePem),
          'client-key-data': base64(admin.key.reveal()),
        },
      },
    ],
  };
  for (const path of kubeconfigs) await writeFile(path, JSON.stringify(kubeconfig), { mode: 0o600 });
}

export function createRealApi(options: RealApiOptions): RealApi {
  const { directory, port, kubeconfigs } = options;
  const children: ChildProcess[] = [];
  let prepared = false;

  function launch(command: string, args: readonly string[], name: string): void {
    const log = openSync(join(directory, `${name}.log`), 'a');
    children.push(spawn(command, args, { stdio: ['ignore', log, log] }));
    closeSync(log);
  }

  return {
    async start() {
      if (!prepared) {
        await mkdir(directory, { recursive: true });
        await writeCredentials(options);
        prepared = true;
      }
      const clients = `http://127.0.0.1:${port + 1}`;
      const peers = `http://127.0.0.1:${port + 2}`;
      const etcd = [
        '--data-dir',
        join(directory, 'etcd'),
        '--listen-client-urls',
        clients,
        '--advertise-client-urls',
        clients,
      ];
      launch(
        process.env['ETCD']!,
        [
          ...etcd,
          '--listen-peer-urls',
          peers,
          '--initial-advertise-peer-urls',
          peers,
          '--initial-cluster',
          `default=${peers}`,
        ],
        'etcd',
      );
      const file = (name: string): string => join(directory, name);
      const flags: Record<string, string> = {
        'etcd-servers': clients,
        'bind-address': '127.0.0.1',
        'secure-port': String(port),
        'cert-dir': directory,
        'tls-cert-file': file('serving.crt'),
        'tls-private-key-file': file('serving.key'),
        'client-ca-file': file('ca.crt'),
        'service-account-issuer': 'https://kubernetes.default.svc',
        'service-account-signing-key-file': file('sa.key'),
        'service-account-key-file': file('sa.pub'),
        'service-cluster-ip-range': '10.96.0.0/16',
        'authorization-mode': 'Node,RBAC',
        // Its token volumes come with a controller manager, which is not here.
        'disable-admission-plugins': 'ServiceAccount',
      };
      const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
      launch(process.env['KUBE_APISERVER']!, args, 'kube-apiserver');
      const env = { KUBECONFIG: kubeconfigs[0]! };
      await eventually(
        'the real API to be ready',
        async () => (await run('kubectl', ['get', '--raw', '/readyz'], { env })).code === 0,
        90_000,
      );
    },
    pids: () => children.flatMap(({ pid }) => (pid === undefined ? [] : [pid])),
    async end(signal) {
      for (const child of children.splice(0).reverse()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill(signal);
        const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
        await ended;
        clearTimeout(timer);
      }
    },
  };
}

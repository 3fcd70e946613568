// A real API server for tests: SQLite in a directory, a private port, and a kubeconfig for kubectl.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { apiStoreMigrations, createApiStore } from '@kedge/control-plane/apistore';
import { type ApiServer, type ApiServerConfig, createApiServer, systemUser } from '@kedge/control-plane/apiserver';
import { createLog, formatRecord, type LogLevel } from '@kedge/core/log';
import { createHost } from '@kedge/core/module';
import type { HttpClient } from '@kedge/core/ports';
import { minutes } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import {
  createFiles,
  createHttpClient,
  createHttpServers,
  createKeys,
  createRandom,
  systemClock,
} from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { createCertificateAuthorities } from '@kedge/platform/x509';

export interface TestServer {
  readonly server: ApiServer;
  readonly kubeconfigPath: string;
  stop(): Promise<void>;
}

export async function startTestServer(options: {
  directory: string;
  port?: number;
  level?: LogLevel;
  /** Keys to share between servers; making them takes a while. */
  pki?: string;
  audit?: ApiServerConfig['audit'];
}): Promise<TestServer> {
  const { directory, port = 0, level = 'error', pki = join(directory, 'pki'), audit } = options;
  await mkdir(directory, { recursive: true });
  const log = createLog({
    now: systemClock.now,
    write: (record) => process.stderr.write(`${formatRecord(record)}\n`),
    level,
  });
  const database = openDatabase({
    path: join(directory, 'state.db'),
    migrations: apiStoreMigrations,
    durability: 'full',
  });
  const store = createApiStore({
    database,
    clock: systemClock,
    keepFor: minutes(5),
    keepEvents: 10_000,
    recentBytes: 4 << 20,
  });
  const random = createRandom();
  const server = await createApiServer(
    {
      clock: systemClock,
      log,
      random,
      files: createFiles(),
      keys: createKeys(),
      authorities: createCertificateAuthorities(),
      servers: createHttpServers({ log }),
      openHttpClient: createHttpClient,
      store,
      gzip: promisify<string, Uint8Array>(gzip),
    },
    {
      address: '127.0.0.1',
      port,
      advertiseAddress: '127.0.0.1',
      pkiDirectory: pki,
      proseDirectory: join(import.meta.dirname, '../../../model/assets/kubernetes-prose'),
      names: [],
      addresses: [],
      serviceCidr: '10.96.0.0/16',
      nodePorts: { first: 30_000, last: 32_767 },
      issuer: 'https://kubernetes.default.svc.cluster.local',
      ...(audit ? { audit } : {}),
    },
  );
  const host = createHost({ clock: systemClock, log });
  await host.start([server.module], new AbortController().signal);
  const kubeconfigPath = join(directory, 'kubeconfig');
  await writeFile(kubeconfigPath, server.kubeconfig());
  return {
    server,
    kubeconfigPath,
    async stop() {
      await host.stop();
      await database.close();
    },
  };
}

/** A server in a directory of its own, with somebody who may do everything and somebody it does not know. */
export interface OpenServer extends TestServer {
  readonly directory: string;
  /** As the system itself, without HTTP. */
  readonly api: KubeApi;
  readonly admin: HttpClient;
  readonly anyone: HttpClient;
  url(path: string): string;
}

export async function openTestServer(
  name: string,
  options: (directory: string) => { audit?: ApiServerConfig['audit'] } = () => ({}),
): Promise<OpenServer> {
  const directory = await mkdtemp(join(tmpdir(), `kedge-${name}-`));
  const running = await startTestServer({ directory, ...options(directory) });
  const { server } = running;
  const ca = server.pki.authority.certificatePem;
  const { certificatePem: certificate, key } = server.pki.admin;
  const admin = createHttpClient({ tls: { ca, certificate, key: key.reveal() } });
  const anyone = createHttpClient({ tls: { ca } });
  return {
    ...running,
    directory,
    api: server.localApi(systemUser),
    admin,
    anyone,
    url: (path) => `https://127.0.0.1:${server.port()}${path}`,
    async stop() {
      await admin.close();
      await anyone.close();
      await running.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

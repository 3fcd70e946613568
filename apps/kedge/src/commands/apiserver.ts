// `kedge apiserver`: the embedded Kubernetes API with its controllers and scheduler, in one process on one directory.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { apiStoreMigrations, createApiStore } from '@kedge/control-plane/apistore';
import { createApiServer, systemUser } from '@kedge/control-plane/apiserver';
import { createControllers } from '@kedge/control-plane/controllers';
import { createMetricsApi } from '@kedge/control-plane/metricsapi';
import { createScheduler } from '@kedge/control-plane/scheduler';
import type { Log } from '@kedge/core/log';
import { minutes, seconds } from '@kedge/core/time';
import { createEventSink } from '@kedge/engine/event-recorder';
import { createSharedInformers } from '@kedge/engine/kube-client';
import {
  createFiles,
  createHttpClient,
  createHttpServers,
  createKeys,
  createRandom,
  matchPatternsInLinearTime,
  systemClock,
} from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { type Assembled, runDaemon } from '../daemon.ts';
import { CommandLineError } from './command-line-error.ts';

interface ApiServerFile {
  /** Where objects, keys and certificates are kept. */
  readonly directory: string;
  readonly address: string;
  readonly port: number;
  /** Where to write kubeconfigs, by whom they are for. */
  readonly kubeconfigs: Readonly<Record<string, string>>;
}

/** History for watches that resume: five minutes, as etcd keeps by default in Kubernetes, or this many writes. */
const keepEvents = 20_000;
const recentBytes = 4 << 20;

async function readConfig(path: string): Promise<ApiServerFile> {
  const config = JSON.parse(await readFile(path, 'utf8')) as Partial<ApiServerFile>;
  const { directory, address = '127.0.0.1', port, kubeconfigs = {} } = config;
  if (!directory || port === undefined) throw new CommandLineError(`${path}: "directory" and "port" are needed`);
  return { directory, address, port, kubeconfigs };
}

async function assemble(log: Log, config: ApiServerFile): Promise<Assembled> {
  // Whoever may define kinds writes expressions that everybody's objects are matched with.
  matchPatternsInLinearTime();
  const clock = systemClock;
  const random = createRandom();
  await mkdir(config.directory, { recursive: true, mode: 0o700 });
  const database = openDatabase({
    path: join(config.directory, 'store.db'),
    migrations: apiStoreMigrations,
    durability: 'full',
  });
  const store = createApiStore({ database, clock, keepFor: minutes(5), keepEvents, recentBytes });
  const server = await createApiServer(
    {
      clock,
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
      address: config.address,
      port: config.port,
      advertiseAddress: config.address,
      pkiDirectory: join(config.directory, 'pki'),
      names: [],
      addresses: [],
      serviceCidr: '10.96.0.0/16',
      nodePorts: { first: 30_000, last: 32_767 },
      issuer: 'https://kubernetes.default.svc.cluster.local',
    },
  );
  const api = server.localApi(systemUser);
  const informers = createSharedInformers({ api, clock, log, random });
  const events = createEventSink({ api, clock, log });
  const rootCa = server.pki.authority.certificatePem;
  const signing = { authority: server.pki.authority, authorities: createCertificateAuthorities(), keys: createKeys() };
  const { certificatePem: certificate, key } = server.pki.kubeletClient;
  const kubelets = createHttpClient({
    // Kubelets sign their own serving certificates; a kube-apiserver does not check them either unless it is told to.
    tls: { certificate, key: key.reveal(), trustAnyServer: true },
    timeouts: { connect: seconds(5), answer: seconds(5) },
    maxConnections: 1,
  });
  const metrics = createMetricsApi({ clock, log, kubelets, informers });
  server.mount(metrics);
  return {
    modules: [
      server.module,
      informers,
      metrics.module,
      events,
      createControllers({ api, informers, events, clock, log, random, rootCa, signing }),
      createScheduler({ api, informers, events, clock, log, random }),
    ],
    async ready() {
      for (const path of Object.values(config.kubeconfigs)) {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(`${path}.new`, server.kubeconfig(), { mode: 0o600 });
        await rename(`${path}.new`, path);
      }
    },
    async close() {
      await kubelets.close();
      await database.close();
    },
  };
}

export async function runApiServer(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const path = values['config'];
  if (typeof path !== 'string') throw new CommandLineError('kedge apiserver needs --config FILE');
  const config = await readConfig(path);
  return runDaemon('apiserver', (log) => assemble(log, config));
}

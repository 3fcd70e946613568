// `kedge apiserver`: the embedded Kubernetes API with its controllers and scheduler, in one process on one directory.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  apiStoreMigrations,
  createApiStore,
  encryptedBodies,
  readEncryptionConfig,
} from '@kedge/control-plane/apistore';
import {
  type AuditPolicy,
  createApiServer,
  defaultAuditPolicy,
  readAuditPolicy,
  systemUser,
} from '@kedge/control-plane/apiserver';
import { explain } from '@kedge/core/errors';
import { createControllers } from '@kedge/control-plane/controllers';
import { createMetricsApi } from '@kedge/control-plane/metricsapi';
import { createScheduler } from '@kedge/control-plane/scheduler';
import type { Log } from '@kedge/core/log';
import { minutes } from '@kedge/core/time';
import { createEventSink } from '@kedge/engine/event-recorder';
import { createSharedInformers } from '@kedge/engine/kube-client';
import {
  createCiphers,
  createFiles,
  createHeapKeeper,
  createHttpClient,
  createHttpServers,
  createKeys,
  createRandom,
  matchPatternsInLinearTime,
  systemClock,
} from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { backupPaths } from '../backup/serve-backup.ts';
import { type Assembled, runDaemon } from '../daemon.ts';
import { installedRoot } from '../site/installed-root.ts';
import { CommandLineError } from './command-line-error.ts';
import { pickControllers } from './pick-controllers.ts';

interface ApiServerFile {
  /** Where objects, keys and certificates are kept. */
  readonly directory: string;
  readonly address: string;
  readonly port: number;
  /** Where to write kubeconfigs, by whom they are for. */
  readonly kubeconfigs: Readonly<Record<string, string>>;
  /**
   * False where a kube-controller-manager, or a kube-scheduler, does the work. A list picks controllers as
   * kube-controller-manager's flag of this name does.
   */
  readonly controllers?: boolean | readonly string[];
  readonly scheduler?: boolean;
  /** As kube-apiserver's flags of these names, which win when they are given. */
  readonly 'encryption-provider-config'?: string;
  readonly 'kubelet-certificate-authority'?: string;
  readonly 'audit-log-path'?: string;
  readonly 'audit-policy-file'?: string;
  /** Megabytes; 100 when absent. */
  readonly 'audit-log-maxsize'?: number;
  readonly 'audit-log-maxbackup'?: number;
  /** Days. */
  readonly 'audit-log-maxage'?: number;
}

/** History for watches that resume: five minutes, as etcd keeps by default in Kubernetes, or this many writes. */
const keepEvents = 20_000;
const recentBytes = 4 << 20;

async function readConfig(path: string): Promise<ApiServerFile> {
  const config = JSON.parse(await readFile(path, 'utf8')) as Partial<ApiServerFile>;
  const { directory, address = '127.0.0.1', port, kubeconfigs = {} } = config;
  if (!directory || port === undefined) throw new CommandLineError(`${path}: "directory" and "port" are needed`);
  return { ...config, directory, address, port, kubeconfigs };
}

async function readAudit(config: ApiServerFile) {
  const path = config['audit-log-path'];
  if (!path) return undefined;
  const policyFile = config['audit-policy-file'];
  return {
    path,
    policy: policyFile ? await readPolicy(policyFile) : defaultAuditPolicy,
    maxBytes: Math.max(1, config['audit-log-maxsize'] ?? 100) * 1024 * 1024,
    maxBackups: config['audit-log-maxbackup'] ?? 0,
    maxAgeDays: config['audit-log-maxage'] ?? 0,
  };
}

async function readPolicy(path: string): Promise<AuditPolicy> {
  const { parse } = await import('yaml');
  try {
    return readAuditPolicy(parse(await readFile(path, 'utf8'), { version: '1.1' }));
  } catch (error) {
    throw new CommandLineError(`${path}: ${explain(error)}`);
  }
}

/** A server whose keys cannot be read must not write in the clear. */
async function readEncryption({ 'encryption-provider-config': path }: ApiServerFile) {
  if (path === undefined) return undefined;
  const { parse } = await import('yaml');
  return readEncryptionConfig(parse(await readFile(path, 'utf8')));
}

async function readCertificates(path: string): Promise<string> {
  const pem = await readFile(path, 'utf8');
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new CommandLineError(`${path}: there is no certificate in it`);
  return pem;
}

function controllersOf({ controllers = true }: ApiServerFile): ReturnType<typeof pickControllers> {
  return typeof controllers === 'boolean' ? () => controllers : pickControllers(controllers);
}

async function assemble(log: Log, config: ApiServerFile): Promise<Assembled> {
  // Whoever may define kinds writes expressions that everybody's objects are matched with.
  matchPatternsInLinearTime();
  const audit = await readAudit(config);
  const { 'kubelet-certificate-authority': kubeletCa } = config;
  const kubeletAuthority = kubeletCa === undefined ? undefined : await readCertificates(kubeletCa);
  const clock = systemClock;
  const random = createRandom();
  const encryption = await readEncryption(config);
  await mkdir(config.directory, { recursive: true, mode: 0o700 });
  const database = openDatabase({
    path: join(config.directory, 'store.db'),
    migrations: apiStoreMigrations,
    durability: 'full',
    ...(encryption ? { secureDelete: true } : {}),
  });
  const bodies = encryption ? { bodies: encryptedBodies(encryption, createCiphers()) } : {};
  const store = createApiStore({ ...bodies, database, clock, keepFor: minutes(5), keepEvents, recentBytes });
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
      ownPaths: backupPaths(database, config.directory),
    },
    {
      address: config.address,
      port: config.port,
      advertiseAddress: config.address,
      pkiDirectory: join(config.directory, 'pki'),
      proseDirectory: join(installedRoot(), 'dist', 'kubernetes-prose'),
      names: [],
      addresses: [],
      serviceCidr: '10.96.0.0/16',
      nodePorts: { first: 30_000, last: 32_767 },
      issuer: 'https://kubernetes.default.svc.cluster.local',
      ...(audit ? { audit } : {}),
      ...(kubeletAuthority === undefined ? {} : { kubeletAuthority }),
    },
  );
  const api = server.localApi(systemUser);
  const informers = createSharedInformers({ api, clock, log, random });
  const events = createEventSink({ api, clock, log });
  const rootCa = server.pki.authority.certificatePem;
  const signing = { authority: server.pki.authority, authorities: createCertificateAuthorities(), keys: createKeys() };
  const isOn = controllersOf(config);
  const metrics = createMetricsApi({ clock, log, kubelets: server.kubelets, informers });
  server.mount(metrics);
  return {
    modules: [
      server.module,
      informers,
      metrics.module,
      events,
      createControllers({ api, informers, events, clock, log, random, rootCa, signing, isOn }),
      ...(config.scheduler === false ? [] : [createScheduler({ api, informers, events, clock, log, random })]),
      // What a crowd of requests left behind goes when it is quiet again.
      createHeapKeeper({ clock, every: minutes(1), onlyBelow: 0.1 }),
    ],
    async ready() {
      for (const path of Object.values(config.kubeconfigs)) {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(`${path}.new`, server.kubeconfig(), { mode: 0o600 });
        await rename(`${path}.new`, path);
      }
    },
    close: () => database.close(),
  };
}

function plainFlags(values: Readonly<Record<string, string | boolean | undefined>>): Partial<ApiServerFile> {
  const texts = ['audit-log-path', 'audit-policy-file', 'kubelet-certificate-authority'].flatMap((name) =>
    typeof values[name] === 'string' ? [[name, values[name]]] : [],
  );
  const numbers = ['audit-log-maxsize', 'audit-log-maxbackup', 'audit-log-maxage'].flatMap((name) => {
    const text = values[name];
    if (typeof text !== 'string') return [];
    if (!/^\d{1,9}$/.test(text)) throw new CommandLineError(`--${name} needs a number, not "${text}"`);
    return [[name, Number(text)]];
  });
  return Object.fromEntries([...texts, ...numbers]) as Partial<ApiServerFile>;
}

export async function runApiServer(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const path = values['config'];
  if (typeof path !== 'string') throw new CommandLineError('kedge apiserver needs --config FILE');
  const { 'encryption-provider-config': keys, controllers } = values;
  const config = {
    ...(await readConfig(path)),
    ...plainFlags(values),
    ...(typeof controllers === 'string' ? { controllers: controllers.split(',') } : {}),
    ...(values['disable-controllers'] ? { controllers: false } : {}),
    ...(values['disable-scheduler'] ? { scheduler: false } : {}),
    ...(typeof keys === 'string' ? { 'encryption-provider-config': keys } : {}),
  };
  // What is wrong with a flag is said before anything is opened.
  controllersOf(config);
  return runDaemon('apiserver', (log) => assemble(log, config));
}

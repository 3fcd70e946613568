// Our controllers and scheduler beside the real ones: the same scenarios on our API and on a kube-apiserver with
// kube-controller-manager and kube-scheduler, and the same outcomes. Needs PEERS naming a folder with the three programs,
// and etcd.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { apiStoreMigrations, createApiStore } from '@kedge/control-plane/apistore';
import { createApiServer, systemUser } from '@kedge/control-plane/apiserver';
import { createControllers } from '@kedge/control-plane/controllers';
import { createScheduler } from '@kedge/control-plane/scheduler';
import { silentLog as log } from '@kedge/core/log';
import { createHost, type Host } from '@kedge/core/module';
import { minutes } from '@kedge/core/time';
import { createEventSink } from '@kedge/engine/event-recorder';
import {
  collections,
  createKubeClient,
  createSharedInformers,
  type KubeApi,
  loadKubeconfig,
} from '@kedge/engine/kube-client';
import {
  createFiles,
  createHttpClient,
  createHttpServers,
  createKeys,
  createRandom,
  systemClock as clock,
} from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { createRealApi, type RealApi } from '../e2e/harness/real-api.ts';
import { findPeer } from './peers/go-cloudcore.ts';
import { details } from './scenario-details.ts';
import { Actions, nodes, type Scenario, scenarios, settled } from './scenarios.ts';

const programs = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((name) => findPeer(name));
const etcd = process.env['ETCD'] ?? '/usr/bin/etcd';
const absent = programs.flatMap((program) => ('missing' in program ? [program.missing] : []));
const missing = absent[0] ?? (existsSync(etcd) ? undefined : `${etcd} does not exist`);

/** Where a difference is known and meant; each says why. */
const meant: Readonly<Record<string, string>> = {
  'an index that fails at once, and one that may fail again':
    'while the real one waits to try again, it says that no pod is active, though one is',
};

describe('controllers and scheduler beside the real ones', { skip: missing ?? false }, () => {
  let directory: string;
  let real: RealApi;
  const children: ChildProcess[] = [];
  const closing: (() => Promise<unknown>)[] = [];
  let theirs: KubeApi;
  let ours: KubeApi;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kedge-peers-'));
    [theirs, ours] = await Promise.all([startTheirs(), startOurs()]);
    for (const api of [theirs, ours]) await prepare(api);
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await real?.end('SIGTERM');
    for (const close of closing.toReversed()) await close();
    await rm(directory, { recursive: true, force: true });
  });

  async function startTheirs(): Promise<KubeApi> {
    const [server, manager, scheduler] = programs.map((program) => ('path' in program ? program.path : ''));
    process.env['KUBE_APISERVER'] ??= server!;
    process.env['ETCD'] ??= etcd;
    const kubeconfig = join(directory, 'kubeconfig');
    const port = 21_000 + Math.floor(Math.random() * 8_000);
    real = createRealApi({ directory: join(directory, 'real'), port, kubeconfigs: [kubeconfig] });
    await real.start();
    const file = (name: string): string => join(directory, 'real', name);
    const shared = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
    const own = [
      `--service-account-private-key-file=${file('sa.key')}`,
      `--root-ca-file=${file('ca.crt')}`,
      '--horizontal-pod-autoscaler-sync-period=2s',
    ];
    for (const [program, args] of [
      [manager!, [...shared, ...own]],
      [scheduler!, shared],
    ] as const) {
      const out = openSync(`${file('program')}-${children.length}.log`, 'a');
      children.push(spawn(program, args, { cwd: directory, stdio: ['ignore', out, out] }));
      closeSync(out);
    }
    const config = await loadKubeconfig(createFiles(), kubeconfig);
    const http = createHttpClient({
      tls: { ca: config.ca!, certificate: config.client!.certificate, key: config.client!.key.reveal() },
    });
    closing.push(() => http.close());
    const credentials = { by: 'connection' as const };
    return createKubeClient({
      http,
      server: config.server,
      credentials,
      userAgent: 'test',
      clock,
      random: createRandom(),
    });
  }

  async function startOurs(): Promise<KubeApi> {
    const random = createRandom();
    const authorities = createCertificateAuthorities();
    const keys = createKeys();
    const path = join(directory, 'ours.db');
    const database = openDatabase({ path, migrations: apiStoreMigrations, durability: 'full' });
    closing.push(() => database.close());
    const store = createApiStore({ database, clock, keepFor: minutes(5), keepEvents: 10_000, recentBytes: 4 << 20 });
    const files = createFiles();
    const server = await createApiServer(
      {
        clock,
        log,
        random,
        files,
        keys,
        authorities,
        servers: createHttpServers({ log }),
        openHttpClient: createHttpClient,
        store,
      },
      {
        address: '127.0.0.1',
        port: 0,
        advertiseAddress: '127.0.0.1',
        pkiDirectory: join(directory, 'pki'),
        names: [],
        addresses: [],
        serviceCidr: '10.96.0.0/16',
        nodePorts: { first: 30_000, last: 32_767 },
        issuer: 'https://kubernetes.default.svc',
      },
    );
    const api = server.localApi(systemUser);
    const informers = createSharedInformers({ api, clock, log, random });
    const events = createEventSink({ api, clock, log });
    const rootCa = server.pki.authority.certificatePem;
    const parts = { api, informers, events, clock, log, random };
    const host: Host = createHost({ clock, log });
    const modules = [server.module, informers, events, createControllers({ ...parts, rootCa }), createScheduler(parts)];
    await host.start(modules, new AbortController().signal);
    closing.push(() => host.stop());
    return api;
  }

  async function prepare(api: KubeApi): Promise<void> {
    const classes = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' };
    for (const [name, value] of [
      ['important', 1_000],
      ['meek', 10],
    ] as const) {
      const metadata = { name };
      await api.create(classes, undefined, {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata,
        value,
      });
    }
    for (const node of nodes) {
      await api.create(collections.nodes, undefined, node);
      const name = node.metadata.name!;
      await api.patch(
        collections.nodes,
        { name, subresource: 'status' },
        'merge',
        JSON.stringify({ status: node['status'] }),
      );
    }
    await settled(async () => (await api.list(collections.nodes)).items.map(({ spec }) => spec), 1_000);
  }

  async function play({ act, outcome }: Scenario, api: KubeApi, namespace: string): Promise<unknown> {
    await api.create(collections.namespaces, undefined, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    });
    const accounts = async () => (await api.list(collections.serviceAccounts, { namespace })).items.length;
    const end = Date.now() + 20_000;
    while ((await accounts()) === 0) {
      assert.ok(Date.now() < end, 'no service account came');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const at = new Actions({ api, namespace });
    await act(at);
    const came = await settled(() => outcome(at));
    for (const { metadata } of (await api.list(collections.pods, { namespace })).items) {
      await api
        .delete(collections.pods, { namespace, name: metadata.name! }, { gracePeriodSeconds: 0 })
        .catch(() => undefined);
    }
    await api.delete(collections.namespaces, { name: namespace });
    const heartbeat = { lastHeartbeatTime: new Date().toISOString(), type: 'Ready', status: 'True' };
    for (const { metadata } of nodes) {
      const target = { name: metadata.name!, subresource: 'status' };
      await api.patch(collections.nodes, target, 'strategic', JSON.stringify({ status: { conditions: [heartbeat] } }));
    }
    return JSON.parse(JSON.stringify(came ?? null));
  }

  for (const [at, scenario] of [...scenarios, ...details].entries()) {
    test(scenario.name, { todo: meant[scenario.name] ?? false }, async () => {
      const [expected, got] = await Promise.all([play(scenario, theirs, `s${at}`), play(scenario, ours, `s${at}`)]);
      assert.deepEqual(got, expected);
    });
  }
});

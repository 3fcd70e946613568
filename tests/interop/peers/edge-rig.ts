// What an edge's half of the link needs to be joined to a real Go cloudcore: an API, a token, and the parts of the edge.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { secret, silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { type Clock, seconds } from '@kedge/core/time';
import { type AnyOutbox, createEdgeHub, edgeHubDefaults, joinOutboxes, toAnyOutbox } from '@kedge/edge/edgehub';
import { createMetaManager, edgeMigrations, type MetaManager } from '@kedge/edge/metamanager';
import { createLinkStatus } from '@kedge/engine/channel';
import { createEdgeIdentity } from '@kedge/engine/identity-edge';
import type { KubeApi } from '@kedge/engine/kube-client';
import { nodeName } from '@kedge/model/k8s';
import type { Module } from '@kedge/core/module';
import type { Database } from '@kedge/core/ports';
import type { Downstream, Handlers } from '@kedge/model/messages';
import {
  createDialer,
  createFiles,
  createHttpClient,
  createKeys,
  createRandom,
  systemClock,
} from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { openKubeApi } from '../../../apps/kedge/src/kube-access.ts';
import { startTestServer } from '../../../packages/control-plane/test/apiserver/test-server.ts';
import { recordingOf, recordingTo } from '../../../packages/control-plane/test/peers/recording.ts';
import { api } from '../cloud-rig.ts';
import { installCloudCoreDefinitions } from './cloudcore-definitions.ts';
import type { GoCloudCore } from './go-cloudcore.ts';

export const node = nodeName('our-edge');

/** The first value that is not undefined, looked for again and again. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  limit = 20_000,
): Promise<T> {
  for (const end = performance.now() + limit; performance.now() < end;) {
    const found = await look();
    if (found !== undefined) return found;
    await systemClock.sleep(what, seconds(0.1));
  }
  throw new Error(`${what}: not within ${limit / 1_000} s`);
}

export const whenTrue = (what: string, check: () => boolean, limit?: number) =>
  eventually(what, () => (check() ? true : undefined), limit);

/** The embedded API with what a Go cloudcore and a namespace need. */
export async function startApi(
  t: TestContext,
  folder: string,
  version: string,
): Promise<{ kube: KubeApi; kubeconfig: string }> {
  const recordings = process.env['KEDGE_RECORD'];
  const recording = recordings && join(recordings, `go-cloudcore-${version}.jsonl`);
  const server = await startTestServer({
    directory: join(folder, 'api'),
    ...(recording ? recordingTo(`${recording}.audit`) : {}),
  });
  const access = await openKubeApi(server.kubeconfigPath, 'kedge-test');
  t.after(async () => {
    await access.close();
    await server.stop();
    if (!recording) return;
    writeFileSync(recording, recordingOf(readFileSync(`${recording}.audit`, 'utf8')));
    rmSync(`${recording}.audit`);
  });
  const kube = access.api;
  await installCloudCoreDefinitions(kube);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubeedge' } };
  await kube.create(api('namespaces'), undefined, namespace);
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await kube.create(api('serviceaccounts'), 'default', account);
  return { kube, kubeconfig: server.kubeconfigPath };
}

export const readToken = (kube: KubeApi): Promise<string> =>
  eventually('join token', async () => {
    const stored = await kube
      .get(api('secrets'), { namespace: 'kubeedge', name: 'tokensecret' })
      .catch(() => undefined);
    return stored && Buffer.from((stored['data'] as { tokendata: string }).tokendata, 'base64').toString('utf8');
  });

interface More {
  readonly modules: readonly Module[];
  readonly handlers: Partial<Handlers<Downstream>>;
  readonly outbox: AnyOutbox;
}

/** `more`: parts beside metamanager and edgehub. */
export async function startEdge(
  t: TestContext,
  cloud: GoCloudCore,
  token: string,
  folder: string,
  more?: (meta: MetaManager, db: Database) => More,
) {
  const random = createRandom();
  const log = silentLog;
  const db = openDatabase({ path: join(folder, 'edge.db'), migrations: edgeMigrations, durability: 'normal' });
  const makeIdentity = (clock: Clock, joinToken: string) =>
    createEdgeIdentity(
      { clock, log, random, files: createFiles(), keys: createKeys(), openHttpClient: createHttpClient },
      {
        node,
        httpServer: `https://127.0.0.1:${cloud.httpsPort}`,
        token: joinToken ? secret(joinToken) : undefined,
        paths: {
          ca: join(folder, 'rootCA.crt'),
          certificate: join(folder, 'server.crt'),
          key: join(folder, 'server.key'),
        },
        rotate: true,
      },
    );
  const identity = makeIdentity(systemClock, token);
  const link = createLinkStatus();
  const meta = createMetaManager({ db, clock: systemClock, log, random, node });
  const beside = more?.(meta, db);
  const outbox = beside ? joinOutboxes(toAnyOutbox(meta.outbox), beside.outbox) : toAnyOutbox(meta.outbox);
  const hub = createEdgeHub({
    clock: systemClock,
    log,
    random,
    metrics: createMetrics(),
    dialer: createDialer(),
    identity,
    handlers: { ...meta.handlers, ...beside?.handlers },
    asks: meta.asks,
    outbox,
    store: meta.store,
    link,
    config: { ...edgeHubDefaults, server: `127.0.0.1:${cloud.hubPort}`, node },
  });
  const scope = openScope({ clock: systemClock, name: 'edge' });
  t.after(() => scope.close(seconds(5)));
  for (const part of [identity, meta, ...(beside?.modules ?? []), hub]) await part.start(scope);
  return { meta, link, identity, hub, scope, makeIdentity };
}

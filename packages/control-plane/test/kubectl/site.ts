// A whole small cluster for kubectl: API server, controllers, scheduler, and nodes that run every pod at once.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemUser } from '@kedge/control-plane/apiserver';
import { createControllers } from '@kedge/control-plane/controllers';
import { createScheduler } from '@kedge/control-plane/scheduler';
import { silentLog } from '@kedge/core/log';
import { createHost } from '@kedge/core/module';
import { milliseconds, toTime } from '@kedge/core/time';
import { createEventSink } from '@kedge/engine/event-recorder';
import { collections, createKubeClient, createSharedInformers, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { findResourceOfKind } from '@kedge/model/k8s-resources';
import type { Pod } from '@kedge/model/k8s-types';
import { createHttpClient, createKeys, createRandom, systemClock } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { startTestServer, type TestServer } from '../apiserver/test-server.ts';
import { recordingTo } from '../peers/recording.ts';
import type { Place } from './row.ts';
import { createKubectl, words } from './run-kubectl.ts';

export interface Site {
  readonly api: KubeApi;
  readonly directory: string;
  readonly kubeconfig: string;
  place(): Promise<Place>;
  stop(): Promise<void>;
}

const clock = systemClock;
/** How long a row waits for controllers. */
const patience = 20_000;

export interface SiteOptions {
  /** False where programs of somebody else are the controllers and the scheduler. */
  readonly ownControllers?: boolean;
  /** Where every request is written down with its answer. */
  readonly auditLog?: string;
}

export async function startSite({ ownControllers = true, auditLog }: SiteOptions = {}): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-kubectl-rows-'));
  const audit = auditLog && recordingTo(auditLog);
  const server = await startTestServer({ directory, ...audit });
  // The log sees what comes over HTTP.
  const api = audit ? overHttp(server) : server.server.localApi(systemUser);
  const random = createRandom();
  const informers = createSharedInformers({ api, clock, log: silentLog, random });
  const events = createEventSink({ api, clock, log: silentLog });
  const parts = { api, informers, events, clock, log: silentLog, random };
  const authorities = createCertificateAuthorities();
  const signing = { authority: server.server.pki.authority, authorities, keys: createKeys() };
  const own = ownControllers ? [createControllers({ ...parts, rootCa: 'CA', signing }), createScheduler(parts)] : [];
  const host = createHost({ clock, log: silentLog });
  await host.start([informers, events, ...own], new AbortController().signal);
  const kubelet = runPods(api, informers);
  let places = 0;

  return {
    api,
    directory,
    kubeconfig: server.kubeconfigPath,
    async place() {
      const unique = `at-${++places}`;
      const folder = join(directory, unique);
      await mkdir(folder);
      await api.create(collections.namespaces, undefined, { metadata: { name: unique } });
      // What the controller would do in a moment; pods need it now.
      await api.create(collections.serviceAccounts, unique, { metadata: { name: 'default' } }).catch(() => undefined);
      return createPlace({ api, unique, folder, home: directory, kubeconfig: server.kubeconfigPath });
    },
    async stop() {
      kubelet.stop();
      await host.stop();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function overHttp({ server }: TestServer): KubeApi {
  const { admin, authority } = server.pki;
  const tls = { ca: authority.certificatePem, certificate: admin.certificatePem, key: admin.key.reveal() };
  return createKubeClient({
    http: createHttpClient({ tls }),
    server: `https://127.0.0.1:${server.port()}`,
    credentials: { by: 'connection' },
    userAgent: 'kubelet',
    clock,
    random: createRandom(),
  });
}

function createPlace(of: { api: KubeApi; unique: string; folder: string; home: string; kubeconfig: string }): Place {
  const { api, unique, folder, home } = of;
  const program = createKubectl(of.kubeconfig, home, folder);
  const kubectl: Place['kubectl'] = (args, options) => {
    const given = words(args);
    const isSomewhere = given.some((word) => /^(-n|--namespace|-A|--all-namespaces|--raw)/.test(word));
    return program.run(isSomewhere ? given : [`--namespace=${unique}`, ...given], options);
  };
  return {
    namespace: unique,
    unique,
    api,
    kubectl,
    async ok(args, input = '') {
      const { code, out, err } = await kubectl(args, { input });
      assert.equal(code, 0, `kubectl ${args}: ${err}${out}`);
      return out;
    },
    async create(...objects) {
      for (const object of objects) {
        const { gvr, namespaced } = resourceOf(object);
        await api.create(gvr, namespaced ? (object.metadata.namespace ?? unique) : undefined, object);
      }
    },
    write: (name, content) => writeFile(join(folder, name), content),
    async eventually(check) {
      const end = clock.monotonic() + patience;
      for (;;) {
        try {
          return await check();
        } catch (error) {
          if (clock.monotonic() > end) throw error;
          await clock.sleep('what a row waits for', milliseconds(50));
        }
      }
    },
  };
}

function resourceOf({ apiVersion = '', kind = '' }: KubeObject) {
  const gvr = findResourceOfKind(apiVersion, kind);
  assert.ok(gvr, `${apiVersion} ${kind} is a built-in kind`);
  return { gvr, namespaced: gvr.namespaced };
}

/** The kubelets: what is placed runs at once, Jobs finish at once, what is deleted goes at once. */
function runPods(api: KubeApi, informers: ReturnType<typeof createSharedInformers>): { stop(): void } {
  const ending = new AbortController();
  const { signal } = ending;
  async function run(pod: Pod): Promise<void> {
    const { namespace, name = '', deletionTimestamp, ownerReferences = [] } = pod.metadata;
    if (signal.aborted || !pod.spec?.nodeName) return;
    if (deletionTimestamp) return api.delete(collections.pods, { namespace, name }, { gracePeriodSeconds: 0 });
    if (pod.status?.phase !== 'Pending') return;
    const isJob = ownerReferences.some(({ kind }) => kind === 'Job');
    const now = toTime(clock.now());
    const status = isJob
      ? { phase: 'Succeeded', startTime: now }
      : {
          phase: 'Running',
          startTime: now,
          podIP: '10.0.0.9',
          podIPs: [{ ip: '10.0.0.9' }],
          conditions: ['Initialized', 'PodScheduled', 'ContainersReady', 'Ready'].map((type) => ({
            type,
            status: 'True',
            lastTransitionTime: now,
          })),
          containerStatuses: pod.spec.containers.map(({ name: container, image = '' }) => ({
            name: container,
            image,
            imageID: image,
            ready: true,
            started: true,
            restartCount: 0,
            state: { running: { startedAt: now } },
          })),
        };
    await api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'merge', JSON.stringify({ status }));
  }
  informers.of(collections.pods).listen({ onPut: (pod) => void run(pod).catch(() => undefined) });
  return { stop: () => ending.abort() };
}

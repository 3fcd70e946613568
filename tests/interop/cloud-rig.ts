// A whole cloudcore on an API in memory, and edges that are only sockets: what the tests of the cloud's side share.
import type { TestContext } from 'node:test';
import { createLog, type LogRecord } from '@kedge/core/log';
import { createHost, type Host } from '@kedge/core/module';
import type {
  Database,
  Headers,
  HttpHandler,
  HttpServers,
  ListenOptions,
  OpenDatabase,
  PeerCertificate,
  Random,
  Socket,
} from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { days, hours, instant, milliseconds, seconds } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { RawMessage } from '@kedge/model/messages';
import type { ResourceInfo } from '@kedge/model/k8s-resources';
import { deviceDefinitions, operationDefinitions, ruleDefinitions } from '@kedge/model/kubeedge-definitions';
import { reliableSyncDefinitions } from '@kedge/cloud/crds';
import { openDatabase } from '@kedge/platform/sqlite';
import { createKeys } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { createFakeKubeApi, type FakeKubeApi } from '@kedge/testing/kube';
import { linkPair } from '@kedge/testing/link';
import { type CloudCoreSettings, createCloudCore } from '../../apps/kedge/src/cloudcore.ts';

export const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

const definitions = [...reliableSyncDefinitions, ...deviceDefinitions, ...ruleDefinitions, ...operationDefinitions];

export const syncResources = definitions.map(({ spec }): ResourceInfo => {
  const { group, names, scope, versions } = spec;
  const stored = versions.find(({ storage }) => storage)!;
  return {
    group,
    version: stored.name,
    kind: names.kind,
    resource: names.plural,
    singular: names.singular,
    namespaced: scope === 'Namespaced',
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    shortNames: [],
    categories: [],
    subresources:
      'subresources' in stored
        ? { status: { group, version: stored.name, kind: names.kind, verbs: ['get', 'patch', 'update'] } }
        : {},
  };
});
const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

/** As a server that serves what is installed would have them. */
export async function installSyncs(kube: KubeApi): Promise<void> {
  for (const definition of definitions) {
    await kube.create(crds, undefined, definition as unknown as KubeObject);
    const target = { name: definition.metadata.name, subresource: 'status' };
    const status = { conditions: [{ type: 'Established', status: 'True' }] };
    await kube.patch(crds, target, 'merge', JSON.stringify({ status }));
  }
}

export interface FakeEdge {
  readonly node: string;
  readonly socket: Socket;
  /** What the cloud sent, in order. */
  readonly received: RawMessage[];
  /** Told of every frame, as it came. */
  onFrame: ((text: string) => void) | undefined;
  /** Acknowledges every push and answer that an upstream edge acknowledges, at once. */
  acknowledge: boolean;
  readonly isClosed: () => boolean;
  /** From now on nothing gets through, and nobody is told. */
  mute(): void;
  send(message: RawMessage): Promise<void>;
  sendText(text: string): Promise<void>;
  /** Sends a question and lets the cloud work; returns the answer. */
  ask(operation: string, resource: string, content?: unknown): Promise<RawMessage | undefined>;
  pushes(): RawMessage[];
}

export interface CloudRig {
  readonly clock: FakeClock;
  readonly kube: FakeKubeApi;
  readonly host: Host;
  readonly logged: LogRecord[];
  readonly bootstrap: HttpHandler;
  /** Webhooks and samples; there only with `admission`. */
  readonly admission: HttpHandler | undefined;
  /** The listener for links, for whoever brings a whole edge. */
  readonly hub: ListenOptions;
  /** Dials as an edge does; throws what the cloud refuses with. */
  dial(node: string, options?: { headers?: Headers; commonName?: string }): FakeEdge;
  keepAlive(edge: FakeEdge): Promise<void>;
  stop(): Promise<readonly string[]>;
}

export interface RigOptions {
  readonly kube?: FakeKubeApi;
  readonly clock?: FakeClock;
  readonly random?: Random;
  readonly config?: Partial<CloudCoreSettings['hub']>;
  readonly devices?: CloudCoreSettings['devices'];
  readonly admission?: CloudCoreSettings['admission'];
  readonly database?: (options: OpenDatabase) => Database;
}

export const api = (resource: string, group = '', version = 'v1') => ({ group, version, resource });

export function fakeApi(): { clock: FakeClock; kube: FakeKubeApi } {
  const clock = new FakeClock({ settle });
  return { clock, kube: createFakeKubeApi({ clock, resources: syncResources }) };
}

let serial = 0;
/** Ids in the order they are asked for. */
const countingRandom = (): Random => ({
  next: () => 0.5,
  uuid: () => `00000000-0000-4000-8000-${String(++serial).padStart(12, '0')}`,
});

export async function startCloud(t: TestContext, options: RigOptions = {}): Promise<CloudRig> {
  const fresh = fakeApi();
  const clock = options.clock ?? fresh.clock;
  const kube = options.kube ?? createFakeKubeApi({ clock, resources: syncResources });
  if (!options.kube) await installSyncs(kube);
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => clock.now(), level: 'debug', write: (record) => logged.push(record) });
  const listeners: ListenOptions[] = [];
  const servers: HttpServers = {
    async listen(listen) {
      listeners.push(listen);
      return { address: listen.address, port: listen.port, renew: () => undefined, close: async () => undefined };
    },
  };
  const random = options.random ?? countingRandom();
  const modules = await createCloudCore(
    {
      clock,
      log,
      random,
      files: { readText: async () => undefined },
      keys: createKeys(),
      authorities: createCertificateAuthorities(),
      servers,
      kube,
      database: options.database ?? openDatabase,
      kubeCa: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    },
    {
      identity: {
        advertiseAddress: ['192.0.2.2'],
        dnsNames: [],
        edgeCertificateLifetime: days(365),
        tokenRefresh: hours(12),
        caFile: undefined,
        caKeyFile: undefined,
        certificateFile: undefined,
        keyFile: undefined,
      },
      hub: {
        address: '0.0.0.0',
        port: 10000,
        nodeLimit: 10,
        keepalive: seconds(30),
        writeTimeout: seconds(30),
        authorization: 'on',
        ownAddress: '192.0.2.2',
        ...options.config,
      },
      https: { address: '0.0.0.0', port: 10002 },
      ...(options.devices && { devices: options.devices }),
      ...(options.admission && { admission: options.admission }),
    },
  );
  const host = createHost({ clock, log, grace: milliseconds(100) });
  await host.start(modules, new AbortController().signal);
  await settle();
  let stopped: Promise<readonly string[]> | undefined;
  const stop = () =>
    (stopped ??= (async () => {
      const ended = host.stop();
      return clock.until(ended);
    })());
  t.after(stop);
  const hub = listeners.find((listener) => listener.upgrade)!;
  return {
    clock,
    kube,
    host,
    logged,
    stop,
    hub,
    bootstrap: listeners.find((listener) => listener.port === 10002)!.handler!,
    admission: listeners.find((listener) => listener.port === options.admission?.port)?.handler,
    dial: (node, dialOptions) => dialHub(hub, random, node, dialOptions),
    async keepAlive(edge) {
      await edge.send(envelope(random, 'keepalive', 'node', 'ping', { source: 'websocket', group: 'resource' }));
      await settle();
    },
  };
}

function dialHub(
  hub: ListenOptions,
  random: Random,
  node: string,
  { headers = {}, commonName = `system:node:${node}` }: { headers?: Headers; commonName?: string } = {},
): FakeEdge {
  const peer: PeerCertificate = {
    commonName,
    organizations: ['system:nodes'],
    serialNumber: '1',
    notAfter: instant(4e12),
    raw: new Uint8Array(),
  };
  const decision = hub.upgrade!({
    method: 'GET',
    path: `/e632aba927ea4ac2b575ec1603d56f10/${node}/events`,
    query: new URLSearchParams(),
    headers: { node_id: node, project_id: 'e632aba927ea4ac2b575ec1603d56f10', connectionuse: 'msg', ...headers },
    remoteAddress: '192.0.2.9',
    peer,
    signal: new AbortController().signal,
    body: async () => new Uint8Array(),
  });
  if (!decision.accept) throw new Error(`refused with ${decision.status}: ${decision.say}`);
  const link = linkPair();
  let isClosed = false;
  void link.edge.closed.then(() => (isClosed = true));
  decision.open(link.cloud);
  const received: RawMessage[] = [];
  const edge: FakeEdge = {
    node,
    socket: link.edge,
    received,
    onFrame: undefined,
    acknowledge: true,
    isClosed: () => isClosed,
    mute: () => link.mute(),
    send: (message) => link.edge.send(JSON.stringify(message)),
    sendText: (text) => link.edge.send(text),
    async ask(operation, resource, content = null) {
      const question = envelope(random, operation, resource, content);
      await edge.send(question);
      const answer = () => received.find((message) => message.header.parent_msg_id === question.header.msg_id);
      // Cryptography takes its time in another thread.
      for (let i = 0; i < 200 && !answer(); i++) await settle();
      return answer();
    },
    pushes: () => received.filter((message) => message.header.parent_msg_id === undefined),
  };
  void (async () => {
    for await (const frame of link.edge.frames()) {
      const text = new TextDecoder().decode(frame.data);
      edge.onFrame?.(text);
      const message = JSON.parse(text) as RawMessage;
      // An edge that negotiated the dense link reads for itself.
      if (!message.header) continue;
      received.push(message);
      if (edge.acknowledge && !isClosed) await edge.send(ackOf(random, message)).catch(() => undefined);
    }
  })();
  return edge;
}

const ackOf = (random: Random, { header, route }: RawMessage): RawMessage => ({
  header: { msg_id: random.uuid(), parent_msg_id: header.msg_id, timestamp: 0 },
  route: { ...route, operation: 'response' },
  content: 'OK',
});

const envelope = (
  random: Random,
  operation: string,
  resource: string,
  content: unknown,
  { source, group } = { source: 'edged', group: 'meta' },
): RawMessage => ({
  header: { msg_id: random.uuid(), timestamp: 0 },
  route: { source, group, operation, resource },
  content,
});

export const edgeNode = (name: string, kubeletVersion = 'v1.31.12-kubeedge-v1.22.2'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name,
    labels: { 'node-role.kubernetes.io/edge': '', 'node-role.kubernetes.io/agent': '', 'kubernetes.io/hostname': name },
  },
  spec: {},
  status: { nodeInfo: { kubeletVersion } },
});

export const boundPod = (name: string, node: string, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName: node, serviceAccountName: 'default', containers: [{ name: 'c', image: 'busybox' }], ...spec },
});

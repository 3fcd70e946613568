// A cloud and several edges in one process, on a network and with lives that a seed decides about. The edges are whole
// but for edged: in its place stands one that keeps containers in a map, which outlives its process as real ones do.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { httpErrors, type Database } from '@kedge/core/ports';
import type { FakeClock } from '@kedge/core/testing';
import { milliseconds, seconds } from '@kedge/core/time';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import type { FakeKubeApi } from '@kedge/testing/kube';
import {
  createLife,
  createSimNetwork,
  type Life,
  mortalDatabase,
  mortalKubeApi,
  type Seeded,
  seeded,
  type SimNetwork,
} from '@kedge/testing/sim';
import { type EdgeUnderTest, openTestDatabase, startEdge } from '../../packages/edge/test/link-fixture.ts';
import { api, type CloudRig, edgeNode, fakeApi, installSyncs, startCloud } from './cloud-rig.ts';

const { signal } = new AbortController();
const peerOf = (node: string) => ({
  commonName: `system:node:${node}`,
  organizations: ['system:nodes'],
  serialNumber: '1',
  notAfter: 4e12,
  raw: new Uint8Array(),
});

interface Container {
  /** Of the newest state it was in; a status says it as its message. */
  state: number;
  /** Of the newest state that the outbox has taken. */
  taken: number;
}

/** One node: what is on its disk, what runs on it, and the process of the moment. */
export class SimEdge {
  readonly node: string;
  readonly containers = new Map<string, Container>();
  /** How often a container of this pod was started. */
  readonly starts = new Map<string, number>();
  #world: World;
  #disk: Database = openTestDatabase();
  #life: Life | undefined;
  #edge: EdgeUnderTest | undefined;
  /** The newest change of a pod that its listeners heard of. */
  #heard = new Map<string, number>();

  constructor(world: World, node: string) {
    this.#world = world;
    this.node = node;
  }

  get meta(): EdgeUnderTest['meta'] {
    return this.#edge!.meta;
  }

  async start(): Promise<void> {
    const world = this.#world;
    const { node } = this;
    const { network, clock, random } = world;
    const life = createLife({ onDeath: () => network.bury(node, 'edge'), lag: world.lag });
    this.#life = life;
    const edge = await startEdge({
      node: this.node,
      db: mortalDatabase(life, this.#disk),
      clock,
      random: random.fork(),
      connect({ headers }) {
        life.check();
        return world.connect(node, headers);
      },
    });
    this.#edge = edge;
    edge.meta.pods.listen({ onPut: (pod) => this.#onPut(pod), onDelete: () => this.stopGone() });
    for (const pod of edge.meta.pods.list()) this.#onPut(pod);
    for (const [uid, { state, taken }] of this.containers) if (taken < state) this.#report(uid);
    void this.#register(edge).catch(() => undefined);
  }

  dieAtWrite(n: number, when: 'before' | 'after'): void {
    this.#life?.dieAtWrite(n, when);
  }

  spare(): void {
    this.#life?.spare();
  }

  get isDead(): boolean {
    return this.#life?.isOver === true;
  }

  /** After a death, or to bring one about: the process ends and a new one starts on the same disk. */
  async restart(): Promise<void> {
    this.#life?.end();
    await this.#edge?.stop();
    await this.start();
  }

  async restartIfDead(): Promise<void> {
    if (this.isDead) await this.restart();
  }

  async loseDisk(): Promise<void> {
    this.#life?.end();
    await this.#edge?.stop();
    this.#disk = openTestDatabase();
    this.#heard.clear();
    // What was taken is lost with the disk; edged says it all again.
    for (const container of this.containers.values()) container.taken = -1;
    await this.start();
  }

  /** A container comes into another state, and edged reports it. */
  move(): void {
    const uid = this.#world.random.pick([...this.containers.keys()]);
    if (uid === undefined) return;
    this.containers.get(uid)!.state += 1;
    this.#report(uid);
  }

  async stop(): Promise<void> {
    assert.deepEqual(await this.#edge?.stop(), [], `${this.node} ends everything`);
  }

  async #register(edge: EdgeUnderTest): Promise<void> {
    const { apiVersion: _, kind: __, ...object } = edgeNode(this.node, 'v1.32.0-kedge-v0.1.0');
    const ref = { type: 'node', namespace: undefined, name: this.node };
    for (;;) {
      const made = await edge.meta.asks.ask({ kind: 'object.create', ref, object }, signal);
      if (made.ok || made.status.reason === 'AlreadyExists' || this.#edge !== edge || this.#life?.isOver) return;
      await this.#world.clock.sleep('registering again', seconds(5));
    }
  }

  /** What a pod needs before it starts; from then on the copy is kept in step by the cloud. */
  async #readConfig(edge: EdgeUnderTest, uid: string): Promise<void> {
    while (this.#edge === edge && !this.#life?.isOver && edge.meta.pods.get(uid)) {
      const read = await edge.meta.objects
        .get('configmap', 'default', `of-${this.node}`, signal)
        .catch(() => undefined);
      if (read?.ok) return;
      await this.#world.clock.sleep('reading again', seconds(5));
    }
  }

  #onPut(pod: Pod): void {
    const { uid = '', labels, deletionTimestamp, name = '' } = pod.metadata;
    const change = Number(labels?.['change'] ?? 0);
    assert.ok(change >= (this.#heard.get(uid) ?? 0), `${this.node}: an older ${name} was told after a newer one`);
    this.#heard.set(uid, change);
    if (deletionTimestamp === undefined) void this.#readConfig(this.#edge!, uid);
    if (deletionTimestamp !== undefined) {
      this.containers.delete(uid);
      const ref = { type: 'pod', namespace: 'default', name };
      void this.meta.outbox.podDelete({ ref, uid }).catch(() => undefined);
    } else if (!this.containers.has(uid)) {
      this.containers.set(uid, { state: 0, taken: -1 });
      this.starts.set(uid, (this.starts.get(uid) ?? 0) + 1);
      this.#report(uid);
    } else if (this.containers.get(uid)!.taken < this.containers.get(uid)!.state) this.#report(uid);
    this.stopGone();
  }

  /** As edged does: what runs goes on until a lost store is filled again. */
  stopGone(): void {
    if (this.meta.store.isEmpty) return;
    for (const uid of this.containers.keys()) if (!this.meta.pods.get(uid)) this.containers.delete(uid);
  }

  #report(uid: string): void {
    const container = this.containers.get(uid)!;
    const name = this.meta.pods.get(uid)?.metadata.name;
    if (name === undefined) return;
    const { state } = container;
    const status = { phase: 'Running', message: String(state) };
    const ref = { type: 'pod', namespace: 'default', name };
    void this.meta.outbox.podStatus({ ref, uid, status }).then(
      () => (container.taken = Math.max(container.taken, state)),
      () => undefined,
    );
  }
}

export class World {
  readonly clock: FakeClock;
  readonly kube: FakeKubeApi;
  readonly random: Seeded;
  readonly network: SimNetwork;
  readonly edges: readonly SimEdge[];
  /** What should never happen to a status and did. */
  setback: string | undefined;
  readonly #t: TestContext;
  readonly #contents = new Map<string, string>();
  #cloud: CloudRig | undefined;
  #life: Life | undefined;

  private constructor(t: TestContext, seed: number, nodes: readonly string[]) {
    this.#t = t;
    const { clock, kube } = fakeApi();
    this.clock = clock;
    this.kube = kube;
    this.random = seeded(seed);
    const delay = { least: milliseconds(1), most: milliseconds(400) };
    this.network = createSimNetwork({ clock, random: this.random.fork(), delay });
    this.edges = nodes.map((node) => new SimEdge(this, node));
  }

  static async begin(t: TestContext, seed: number, nodes: readonly string[]): Promise<World> {
    const world = new World(t, seed, nodes);
    await installSyncs(world.kube);
    world.#watchPods();
    await world.startCloud();
    for (const edge of world.edges) await edge.start();
    // Until every store counts as filled: before that, each connection has everything sent again.
    await world.clock.advance(seconds(150));
    for (const { node, meta } of world.edges) assert.equal(meta.store.isEmpty, false, node);
    return world;
  }

  readonly lag = (): Promise<void> => this.clock.sleep('a write that hangs', milliseconds(500));

  async startCloud(): Promise<void> {
    const life = createLife({
      onDeath: () => this.edges.forEach(({ node }) => this.network.bury(node, 'cloud')),
      lag: this.lag,
    });
    const kube = mortalKubeApi(life, this.kube);
    this.#cloud = await startCloud(this.#t, { clock: this.clock, kube, random: this.random.fork() });
    this.#life = life;
  }

  connect(node: string, headers: Readonly<Record<string, string>>) {
    if (this.#life?.isOver !== false) throw httpErrors.CONNECT_FAILED({ url: 'cloud', reason: 'refused' });
    const asked = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const decision = this.#cloud!.hub.upgrade!({
      method: 'GET',
      path: '/',
      query: new URLSearchParams(),
      headers: asked,
      remoteAddress: '192.0.2.9',
      peer: peerOf(node),
      signal,
      body: async () => new Uint8Array(),
    });
    if (!decision.accept) throw httpErrors.CONNECT_FAILED({ url: 'cloud', reason: decision.say });
    const pair = this.network.connect(node);
    decision.open(pair.cloud);
    return { pair, headers: decision.headers ?? {} };
  }

  cloudDiesAtWrite(n: number, when: 'before' | 'after'): void {
    this.#life?.dieAtWrite(n, when);
  }

  async restartCloud(): Promise<void> {
    this.#life?.end();
    await this.#cloud?.stop();
    await this.startCloud();
  }

  /** Trouble is over: all are connected, and nobody dies any more. */
  async calm(): Promise<void> {
    this.#life?.spare();
    for (const edge of this.edges) {
      edge.spare();
      this.network.join(edge.node);
    }
    await this.clock.advance(seconds(1));
    // A fatal write may be under way.
    while (this.#life?.isOver || this.edges.some((edge) => edge.isDead)) {
      await this.reviveTheDead();
      await this.clock.advance(seconds(1));
    }
  }

  /** Whoever died is started again, as a supervisor does. */
  async reviveTheDead(): Promise<void> {
    if (this.#life?.isOver) await this.restartCloud();
    for (const edge of this.edges) await edge.restartIfDead();
  }

  async end(): Promise<void> {
    for (const edge of this.edges) await edge.stop();
    assert.deepEqual(await this.#cloud?.stop(), [], 'the cloud ends everything');
  }

  /** Whether the versions differ in nothing but status: to a node they are the same. */
  sameForNode(uid: string, one: string, other: string): boolean {
    return one === other || this.#contents.get(`${uid}@${one}`) === this.#contents.get(`${uid}@${other}`);
  }

  /** Keeps what every version said; no status in the cloud may ever be replaced by one that the edge made earlier. */
  #watchPods(): void {
    const stop = new AbortController();
    this.#t.after(() => stop.abort());
    const newest = new Map<string, number>();
    const see = ({ metadata, spec, status }: KubeObject & { spec?: unknown; status?: { message?: string } }): void => {
      const { uid = '', resourceVersion, name, labels, deletionTimestamp } = metadata;
      this.#contents.set(`${uid}@${resourceVersion}`, JSON.stringify([spec, labels, deletionTimestamp]));
      if (status?.message === undefined) return;
      const [state, before] = [Number(status.message), newest.get(uid) ?? 0];
      if (state < before) this.setback ??= `${name} went from state ${before} back to ${state}`;
      newest.set(uid, state);
    };
    void (async () => {
      for await (const change of this.kube.watch(api('pods'), {}, this.kube.version, stop.signal)) {
        if ('object' in change) see(change.object);
      }
    })().catch(() => undefined);
  }
}

/** A request that the API may refuse, for instance because somebody was faster. */
export async function quietly(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!isStatus(error)) throw error;
  });
}

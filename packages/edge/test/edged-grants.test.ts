// Device plugins, and processors of a container's own: what the node shows of them, who gets which, and that it stays so.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { minutes, seconds } from '@kedge/core/time';
import type { EdgedConfig } from '@kedge/edge/edged';
import type { Node, PodSpec } from '@kedge/model/k8s-types';
import {
  AllocateRequest,
  AllocateResponse,
  ListAndWatchResponse,
  PreferredAllocationRequest,
  PreferredAllocationResponse,
  PreStartContainerRequest,
  registerDevicePlugin,
} from '@kedge/wire/deviceplugin';
import type { RpcChannel, RpcHandlers } from '@kedge/wire/rpc';
import { rpcErrors } from '@kedge/wire/rpc';
import { EdgedFixture, image } from './edged-fixture.ts';

const directory = '/var/lib/kubelet/device-plugins';
const resource = 'vendor.example/camera';

/** A plugin and the sockets it and the node have, in memory. */
class Sockets {
  readonly servers = new Map<string, RpcHandlers>();
  readonly allocated: string[][] = [];
  readonly preStarts: string[][] = [];
  /** Devices by id and health; a change is told. */
  #devices = new Map<string, boolean>();
  #tell: () => void = () => undefined;
  isRunning = false;
  preferred: readonly string[] = [];

  readonly rpc = {
    servers: {
      listen: async ({ socketPath, handlers }: { socketPath: string; handlers: RpcHandlers }) => {
        this.servers.set(socketPath, handlers);
        return { close: async () => void this.servers.delete(socketPath) };
      },
    },
    openChannel: (): RpcChannel => ({
      call: async (path, message) => this.#answer(path, message),
      stream: (_path, _message, options) => this.#list(options?.signal),
      close: () => undefined,
    }),
  };

  set(devices: Record<string, boolean>): void {
    this.#devices = new Map(Object.entries(devices));
    this.#tell();
  }

  end(): void {
    this.isRunning = false;
    this.#tell();
  }

  async register(more: { version?: string; resourceName?: string; endpoint?: string } = {}): Promise<void> {
    this.isRunning = true;
    const call = async (path: string, message: Uint8Array) => {
      const handler = this.servers.get(`${directory}/kubelet.sock`)?.[path];
      if (!handler) throw rpcErrors.UNREACHABLE({ method: path, address: directory, reason: 'nobody listens' });
      return handler(message, { signal: new AbortController().signal });
    };
    const options = { preStartRequired: true, getPreferredAllocationAvailable: true };
    const request = { version: 'v1beta1', endpoint: 'camera.sock', resourceName: resource, options, ...more };
    await registerDevicePlugin({ call } as unknown as RpcChannel, request);
  }

  async *#list(signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    signal?.addEventListener('abort', () => this.#tell(), { once: true });
    while (this.isRunning && !signal?.aborted) {
      const devices = [...this.#devices].map(([ID, isWell]) => ({ ID, health: isWell ? 'Healthy' : 'Unhealthy' }));
      yield ListAndWatchResponse.encode({ devices }).finish();
      await new Promise<void>((resolve) => (this.#tell = resolve));
    }
  }

  #answer(path: string, message: Uint8Array): Uint8Array {
    if (path.endsWith('/GetPreferredAllocation')) {
      assert.equal(PreferredAllocationRequest.decode(message).containerRequests?.length, 1);
      return PreferredAllocationResponse.encode({ containerResponses: [{ deviceIDs: [...this.preferred] }] }).finish();
    }
    if (path.endsWith('/PreStartContainer')) {
      this.preStarts.push(PreStartContainerRequest.decode(message).devicesIds ?? []);
      return new Uint8Array(0);
    }
    assert.ok(path.endsWith('/Allocate'));
    const [ids = []] = (AllocateRequest.decode(message).containerRequests ?? []).map(
      ({ devicesIds = [] }) => devicesIds,
    );
    this.allocated.push(ids);
    const response = {
      envs: { CAMERAS: ids.join() },
      mounts: [{ containerPath: '/opt/vendor', hostPath: '/usr/lib/vendor', readOnly: true }],
      devices: ids.map((id) => ({ containerPath: `/dev/${id}`, hostPath: `/dev/${id}`, permissions: 'rw' })),
      annotations: { 'vendor.example/ids': ids.join() },
      cdiDevices: ids.map((id) => ({ name: `vendor.example/camera=${id}` })),
    };
    return AllocateResponse.encode({ containerResponses: [response] }).finish();
  }
}

async function edged(t: TestContext, sockets: Sockets, more: Partial<EdgedConfig> = {}): Promise<EdgedFixture> {
  const site = new EdgedFixture();
  site.rpc = sockets.rpc;
  await site.start({ devicePluginDirectory: directory, ...more });
  t.after(async () => assert.deepEqual(await site.stop(), []));
  return site;
}

const wants = (count: number, name = 'main'): PodSpec['containers'][number] => ({
  name,
  image,
  command: ['serve'],
  resources: { limits: { [resource]: String(count) }, requests: { [resource]: String(count) } },
});
const shown = (site: EdgedFixture): (string | undefined)[] => {
  const { capacity, allocatable } = (site.cloud.objects.get('node/edge-1') as Node).status ?? {};
  return [capacity?.[resource], allocatable?.[resource]];
};
const pluginPod = { volumes: [{ name: 'plugins', hostPath: { path: directory } }] };

/** As on a node: the plugin runs in a pod that mounts the directory, and registers. */
async function withPlugin(t: TestContext, sockets: Sockets, more?: Partial<EdgedConfig>): Promise<EdgedFixture> {
  const site = await edged(t, sockets, more);
  site.put('plugin', pluginPod);
  await site.pass(seconds(1));
  // What serves plugins is loaded when the first pod has to do with them, which takes time that no clock of ours tells.
  while (sockets.servers.size === 0) await setImmediate();
  sockets.set({ a: true, b: true, c: false });
  await sockets.register();
  await site.pass(seconds(1));
  return site;
}

describe('a device plugin', () => {
  test('finds nobody as long as nothing on the node has to do with plugins', async (t) => {
    const sockets = new Sockets();
    await edged(t, sockets);
    assert.equal(sockets.servers.size, 0);
  });

  test('that registers makes the node show its devices, and those that are well', async (t) => {
    const sockets = new Sockets();
    const site = await withPlugin(t, sockets);
    assert.deepEqual(shown(site), ['3', '2']);
    sockets.set({ a: true, b: true, c: true, d: true });
    await site.pass(seconds(1));
    assert.deepEqual(shown(site), ['4', '4']);
    sockets.end();
    await site.pass(seconds(1));
    assert.deepEqual(shown(site), ['4', '0']);
    await site.pass(minutes(6));
    assert.deepEqual(shown(site), ['0', '0']);
    await sockets.register();
    await site.pass(seconds(1));
    assert.deepEqual(shown(site), ['4', '4']);
  });

  test('of another version, or with a name or a socket that is none, is turned away', async (t) => {
    const sockets = new Sockets();
    await withPlugin(t, sockets);
    await assert.rejects(sockets.register({ version: 'v1alpha' }), /this node has v1beta1/);
    await assert.rejects(sockets.register({ resourceName: 'camera' }), /resource name "camera" is invalid/);
    await assert.rejects(sockets.register({ resourceName: 'kubernetes.io/camera' }), /invalid/);
    await assert.rejects(sockets.register({ endpoint: '../escape.sock' }), /not a socket/);
  });
});

describe('a container that asks for devices', () => {
  test('gets them with all that belongs to them, those that the plugin prefers', async (t) => {
    const sockets = new Sockets();
    const site = await withPlugin(t, sockets);
    sockets.preferred = ['b'];
    site.put('looks', { containers: [wants(1)] });
    await site.pass(seconds(1));
    assert.deepEqual([sockets.allocated, sockets.preStarts], [[['b']], [['b']]]);
    const config = [...site.fake.containers.values()].at(-1)?.config;
    assert.deepEqual(config?.devices, [{ containerPath: '/dev/b', hostPath: '/dev/b', permissions: 'rw' }]);
    assert.deepEqual(config?.CDIDevices, [{ name: 'vendor.example/camera=b' }]);
    assert.ok(config?.envs?.some(({ key, value }) => key === 'CAMERAS' && value === 'b'));
    assert.equal(config?.annotations?.['vendor.example/ids'], 'b');
    assert.ok(config?.mounts?.some(({ hostPath, readonly }) => hostPath === '/usr/lib/vendor' && readonly));
  });

  test('keeps them through restarts of it, of edged and of the plugin', async (t) => {
    const sockets = new Sockets();
    const site = await withPlugin(t, sockets);
    site.put('looks', { containers: [wants(2)] });
    await site.pass(seconds(1));
    await site.stop();
    sockets.end();
    await site.start({ devicePluginDirectory: directory });
    await site.pass(seconds(1));
    assert.deepEqual(shown(site), ['0', '0'], 'nobody has registered again yet');
    const id = [...site.fake.containers.values()].find(({ config }) => config.devices?.length === 2)?.id;
    for (const container of site.fake.containers.values())
      if (container.id === id) site.fake.killSandbox(container.sandboxId);
    await site.pass(seconds(30));
    const again = [...site.fake.containers.values()].at(-1);
    assert.deepEqual(
      again?.config.devices?.map(({ hostPath }) => hostPath),
      ['/dev/a', '/dev/b'],
    );
    await sockets.register();
    await site.pass(seconds(1));
    assert.deepEqual(await refused(site, 1), unavailable(1, 0));
  });

  test('leaves them to others when its pod is gone', async (t) => {
    const sockets = new Sockets();
    const site = await withPlugin(t, sockets);
    site.put('looks', { containers: [wants(2)] });
    await site.pass(seconds(1));
    site.markDeleted('looks', 1);
    await site.pass(seconds(3));
    site.forget('looks');
    site.put('next', { containers: [wants(2)] });
    await site.pass(seconds(1));
    assert.equal(site.statuses.get('next')?.phase, 'Running');
  });

  test('is refused when there are not as many', async (t) => {
    const sockets = new Sockets();
    const site = await withPlugin(t, sockets);
    assert.match(await refused(site, 3), /^OutOfvendor.example\/camera: .* requested: 3, used: 0, capacity: 2$/);
  });

  test('is left to whoever counts them where no plugin has them', async (t) => {
    const site = await edged(t, new Sockets());
    site.put('licensed', { containers: [wants(1)] });
    await site.pass(seconds(1));
    assert.equal(site.statuses.get('licensed')?.phase, 'Running');
  });

  async function refused(site: EdgedFixture, count: number): Promise<string> {
    site.put('more', { containers: [wants(count)] });
    await site.pass(seconds(1));
    const { reason, message } = site.statuses.get('more') ?? {};
    return `${reason}: ${message}`;
  }
  const unavailable = (requested: number, available: number): string =>
    `OutOfvendor.example/camera: Pod was rejected: Node didn't have enough resource: vendor.example/camera, ` +
    `requested: ${requested}, used: ${2 - available}, capacity: 2`;
});

describe('whole processors', () => {
  const cpuManager = { reservedCpus: '0' };
  const whole = (cpu: string): Partial<PodSpec> => ({
    containers: [{ name: 'main', image, command: ['serve'], resources: { limits: { cpu, memory: '64Mi' } } }],
  });
  const cpusOf = (site: EdgedFixture, pod: string): string | undefined =>
    [...site.fake.containers.values()].findLast(
      ({ config, state }) => config.labels?.['io.kubernetes.pod.name'] === pod && state === 'running',
    )?.resources.cpusetCpus;

  test('are had alone by containers of guaranteed pods; everything else shares the rest', async (t) => {
    const site = await edged(t, new Sockets(), { cpuManager });
    site.put('shares', {});
    await site.pass(seconds(1));
    assert.equal(cpusOf(site, 'shares'), '0-3');
    site.put('alone', whole('2'));
    site.put('part', whole('500m'));
    await site.pass(seconds(1));
    assert.equal(cpusOf(site, 'alone'), '1-2');
    assert.equal(cpusOf(site, 'part'), '0,3');
    assert.equal(cpusOf(site, 'shares'), '0,3', 'it was moved while it runs');
    site.markDeleted('alone', 1);
    await site.pass(seconds(3));
    site.forget('alone');
    await site.pass(seconds(1));
    assert.equal(cpusOf(site, 'shares'), '0-3');
  });

  test('stay the same through restarts', async (t) => {
    const site = await edged(t, new Sockets(), { cpuManager });
    site.put('first', whole('1'));
    site.put('second', whole('1'));
    await site.pass(seconds(1));
    const before = cpusOf(site, 'second');
    await site.stop();
    await site.start({ cpuManager });
    site.fake.reboot();
    await site.pass(seconds(30));
    assert.equal(cpusOf(site, 'second'), before);
  });

  test('that are not there are refused', async (t) => {
    const site = await edged(t, new Sockets(), { cpuManager });
    site.put('greedy', whole('4'));
    await site.pass(seconds(1));
    const { reason, message } = site.statuses.get('greedy') ?? {};
    assert.equal(reason, 'UnexpectedAdmissionError');
    assert.match(message ?? '', /not enough cpus available to satisfy request: requested=4, available=3/);
  });
});

// Alarms and the local API for devices, loaded with the first device: an edge without devices does not carry their code.
import { Wakeup } from '@kedge/core/flow';
import type { Module } from '@kedge/core/module';
import type { Alarms, AlarmsDeps } from '@kedge/edge/alarms';
import type { DeviceApiDeps } from '@kedge/edge/deviceapi';

export interface DeviceExtras extends Module {
  /** As if they were always there. */
  readonly alarms: Pick<Alarms, 'active' | 'watch'>;
}

type Deps = AlarmsDeps & Omit<DeviceApiDeps, 'alarms'>;

export function createDeviceExtras(
  deps: Deps,
  { node, socketPath }: { readonly node: string; readonly socketPath: string },
): DeviceExtras {
  const { devices } = deps.devices;
  const watchers = new Map<Parameters<Alarms['watch']>[0], () => void>();
  let loaded: Alarms | undefined;

  async function firstDevice(signal: AbortSignal): Promise<void> {
    const changed = new Wakeup();
    const stopListening = devices.listen(() => changed.wake());
    try {
      while (devices.list().length === 0) await changed.wait(signal);
    } finally {
      stopListening();
    }
  }

  return {
    name: 'alarms',
    alarms: {
      active: (device) => loaded?.active(device) ?? [],
      watch(watcher) {
        watchers.set(watcher, loaded?.watch(watcher) ?? (() => undefined));
        return () => {
          watchers.get(watcher)?.();
          watchers.delete(watcher);
        };
      },
    },
    async start(scope) {
      scope.spawn('alarms and local API', async (signal) => {
        await firstDevice(signal);
        const { createAlarms } = await import('@kedge/edge/alarms');
        const { createDeviceApi } = await import('@kedge/edge/deviceapi');
        if (signal.aborted) return;
        const alarms = createAlarms(deps, { node });
        for (const watcher of watchers.keys()) watchers.set(watcher, alarms.watch(watcher));
        loaded = alarms;
        await alarms.start(scope);
        await createDeviceApi({ ...deps, alarms }, { socketPath }).start(scope);
      });
    },
  };
}

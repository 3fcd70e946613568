// The local API: listens from the first device on, so that an edge without devices pays nothing for it.
import { explain } from '@kedge/core/errors';
import { createBackoff, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { HttpServers, Listening, Random } from '@kedge/core/ports';
import { type Clock, seconds } from '@kedge/core/time';
import { answerRequest } from './answer-request.ts';
import type { Alarms, DeviceReader } from './ports.ts';

export interface DeviceApiDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly servers: HttpServers;
  readonly devices: DeviceReader;
  readonly alarms?: Alarms | undefined;
}

export function createDeviceApi(deps: DeviceApiDeps, { socketPath }: { readonly socketPath: string }): Module {
  const { clock, random, servers, devices: reader, alarms } = deps;
  const log = deps.log.child({ module: 'deviceapi' });

  const listen = (): Promise<Listening> =>
    servers.listen({
      address: socketPath,
      port: 0,
      async handler(request, response) {
        const { status, body } = answerRequest(request, { reader, alarms, now: clock.now() });
        response.send(status, { 'content-type': 'application/json' }, `${JSON.stringify(body)}\n`);
      },
    });

  async function run(signal: AbortSignal): Promise<void> {
    const changed = new Wakeup();
    const stopListening = reader.devices.listen(() => changed.wake());
    try {
      while (reader.devices.list().length === 0) await changed.wait(signal);
    } catch {
      return;
    } finally {
      stopListening();
    }
    const backoff = createBackoff({ first: seconds(1), max: seconds(60), jitter: 0.5, random: () => random.next() });
    while (!signal.aborted) {
      const listening = await listen().catch((error: unknown) => {
        log.warn('the local API for devices does not listen', { path: socketPath, reason: explain(error) });
        return undefined;
      });
      if (!listening) {
        await clock.sleep('listen for questions about devices', backoff.next(), signal).catch(() => undefined);
        continue;
      }
      log.info('answering questions about devices', { path: socketPath });
      await new Promise<void>((resolve) => {
        if (signal.aborted) return resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      return listening.close();
    }
  }

  return {
    name: 'deviceapi',
    async start(scope) {
      scope.spawn('local API', run);
    },
  };
}

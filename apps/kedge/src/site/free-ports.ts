// Looks at a site's ports before anything is started: somebody else on one of them is the commonest reason for a site
// not to come up, and is better told at once than by daemons that keep ending.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { SitePorts } from './layout.ts';

const usedFor: Readonly<Record<keyof SitePorts, string>> = {
  hub: 'the links of edges',
  hubHttps: 'the certificates of edges',
  admission: 'webhooks of cloudcore',
  api: 'the Kubernetes API',
  monitor: 'health and metrics of cloudcore',
  kubelet: 'the endpoints of the kubelet',
  thermostat: 'the simulated thermostat',
  tank: 'the simulated tank',
  modbusMapper: 'the REST API of the Modbus mapper',
  mqtt: 'MQTT clients of the edge',
  opcuaMapper: 'the REST API of the OPC UA mapper',
};

const ofDevices: ReadonlySet<keyof SitePorts> = new Set(['thermostat', 'tank', 'modbusMapper', 'opcuaMapper', 'mqtt']);

/** Throws a sentence that names the port and what to do. */
export async function requireFreePorts(ports: SitePorts, address: string, withDevices: boolean): Promise<void> {
  for (const name of Object.keys(usedFor) as (keyof SitePorts)[]) {
    if (ofDevices.has(name) && !withDevices) continue;
    const port = ports[name];
    if (await isTaken(port, address)) {
      throw new Error(
        `port ${port} on ${address}, for ${usedFor[name]}, is in use by another program: stop it ("ss -ltnp" lists ` +
          `who listens), or move this site's ports with --port-base N${ofDevices.has(name) ? ', or do without with --no-devices' : ''}`,
      );
    }
  }
}

/** Other failures to listen are left to the daemon, which says more about them. */
async function isTaken(port: number, address: string): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen({ port, host: address, exclusive: true });
    await once(probe, 'listening');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  } finally {
    probe.close();
  }
}

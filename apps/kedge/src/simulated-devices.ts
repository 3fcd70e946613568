// Simulated devices as a process.
import type { Module } from '@kedge/core/module';
import { createThermostat } from '@kedge/devices/simulated';
import { systemClock } from '@kedge/platform/node';
import { CommandLineError } from './commands/command-line-error.ts';
import { runDaemon } from './daemon.ts';
import { loadDriver } from './load-driver.ts';

export interface SimulationOptions {
  readonly address: string;
  /** Ports; undefined: no such device. */
  readonly thermostat: number | undefined;
}

/** Until it is asked to end; its exit code. */
export async function simulateDevices({ address, thermostat }: SimulationOptions): Promise<number> {
  if (thermostat === undefined) throw new CommandLineError('say which device is to be simulated: --thermostat PORT');
  return runDaemon('simulated-devices', async (log) => {
    const modules: Module[] = [];
    const deps = { clock: systemClock, log, load: loadDriver };
    modules.push(createThermostat(deps, { address, port: thermostat }));
    return { modules };
  });
}

// Simulated devices as a process.
import { setPriority } from 'node:os';
import type { Module } from '@kedge/core/module';
import { createTank, createThermostat } from '@kedge/devices/simulated';
import { systemClock } from '@kedge/platform/node';
import { CommandLineError } from './commands/command-line-error.ts';
import { runDaemon } from './daemon.ts';
import { loadDriver } from './load-driver.ts';

export interface SimulationOptions {
  readonly address: string;
  /** Ports; undefined: no such device. */
  readonly thermostat: number | undefined;
  readonly tank: number | undefined;
  /** For the keys of the tank. */
  readonly directory: string;
}

/** Until it is asked to end; its exit code. */
export async function simulateDevices(options: SimulationOptions): Promise<number> {
  const { address, thermostat, tank, directory } = options;
  if (thermostat === undefined && tank === undefined) {
    throw new CommandLineError('say which device is to be simulated: --thermostat PORT or --tank PORT');
  }
  // A device is something else than the machine that its edge runs on: it must not take that one's time.
  setPriority(10);
  const code = await runDaemon('simulated-devices', async (log) => {
    const modules: Module[] = [];
    const deps = { clock: systemClock, log, load: loadDriver };
    if (thermostat !== undefined) modules.push(createThermostat(deps, { address, port: thermostat }));
    if (tank !== undefined) modules.push(createTank(deps, { address, port: tank, directory }));
    return { modules };
  });
  // A server that was still starting would go on, and there is nothing here that could get lost.
  process.exit(code);
}

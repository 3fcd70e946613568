// `kedge device`: devices to try things with, and what devices of this machine's edge have said.
import type { Values } from '../command-line.ts';
import { CommandLineError } from './command-line-error.ts';

export async function device(values: Values, [what, name, ...more]: readonly string[]): Promise<number> {
  if (more.length > 0 || (what === 'simulate' && name !== undefined))
    throw new CommandLineError('see "kedge device --help"');
  switch (what) {
    case 'simulate': {
      const { address = '127.0.0.1' } = values;
      const options = { address: String(address), thermostat: portOf(values, 'thermostat') };
      return (await import('../simulated-devices.ts')).simulateDevices(options);
    }
    case 'history':
      return (await import('./device-history.ts')).deviceHistory(values, name);
    default:
      throw new CommandLineError('see "kedge device --help"');
  }
}

function portOf(values: Values, name: string): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new CommandLineError(`--${name} ${text}: give a port from 1 to 65535`);
  }
  return port;
}

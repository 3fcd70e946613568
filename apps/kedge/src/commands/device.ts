// `kedge device simulate`: devices to try things with.
import type { Values } from '../command-line.ts';
import { CommandLineError } from './command-line-error.ts';

export async function device(values: Values, [what, ...more]: readonly string[]): Promise<number> {
  if (more.length > 0) throw new CommandLineError('see "kedge device --help"');
  switch (what) {
    case 'simulate': {
      const { address = '127.0.0.1' } = values;
      const options = { address: String(address), thermostat: portOf(values, 'thermostat') };
      return (await import('../simulated-devices.ts')).simulateDevices(options);
    }
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

// `kedge mapper new NAME`, `kedge mapper run FILE`, and the mappers that kedge brings: `kedge mapper modbus`.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MapperDriver } from '@kedge/devices/mapper-sdk';
import { CommandLineError } from './command-line-error.ts';

type Values = Readonly<Record<string, string | boolean | undefined>>;

const builtIn: Readonly<Record<string, (config: string | undefined) => Promise<number>>> = {
  async modbus(config) {
    const { runMapper } = await import('../mapper-daemon.ts');
    const { loadDriver } = await import('../load-driver.ts');
    const { createModbusMapper } = await import('@kedge/devices/mapper-modbus');
    return runMapper(createModbusMapper({ load: loadDriver }), config);
  },
  async mqtt(config) {
    const { runMapper } = await import('../mapper-daemon.ts');
    const { createMqttMapper } = await import('@kedge/devices/mapper-mqtt');
    return runMapper(
      createMqttMapper({ mqtt: async () => (await import('@kedge/platform/mqtt')).createMqtt() }),
      config,
    );
  },
  async opcua(config) {
    const { runMapper } = await import('../mapper-daemon.ts');
    const { createOpcuaMapper } = await import('@kedge/devices/mapper-opcua');
    return runMapper((data) => createOpcuaMapper({ directory: join(data, 'opcua') }), config);
  },
  async virtual(config) {
    const { virtualMapper } = await import('@kedge/devices/mapper-virtual');
    return (await import('../mapper-daemon.ts')).runMapper(virtualMapper, config);
  },
};

export async function mapper(values: Values, [what, which, ...more]: readonly string[]): Promise<number> {
  const config = typeof values['config-file'] === 'string' ? values['config-file'] : undefined;
  if (which === undefined && what !== undefined && Object.hasOwn(builtIn, what)) return builtIn[what]!(config);
  if (which === undefined || more.length > 0) throw new CommandLineError('see "kedge mapper --help"');
  switch (what) {
    case 'new':
      return (await import('./mapper-new.ts')).newMapper(which);
    case 'run': {
      const driver = await loadMapper(which);
      return (await import('../mapper-daemon.ts')).runMapper(driver, config);
    }
    default:
      throw new CommandLineError(`there is no "kedge mapper ${what}"; see "kedge mapper --help"`);
  }
}

/** The driver that a file exports as its default. */
async function loadMapper(file: string): Promise<MapperDriver<unknown, unknown>> {
  const path = resolve(file);
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  } catch (cause) {
    throw new CommandLineError(`${path} cannot be loaded`, { cause });
  }
  const driver = module.default as Partial<MapperDriver<unknown, unknown>> | undefined;
  if (typeof driver?.open !== 'function' || typeof driver.protocol !== 'string') {
    throw new CommandLineError(`${path} has no driver: write "export default defineMapper({ ... })" in it`);
  }
  return driver as MapperDriver<unknown, unknown>;
}

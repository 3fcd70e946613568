// `kedge mapper new NAME`, `kedge mapper run FILE`, and the mappers that kedge brings: `kedge mapper modbus`.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type AnyDriver, builtInDrivers } from '../built-in-drivers.ts';
import { CommandLineError } from './command-line-error.ts';

type Values = Readonly<Record<string, string | boolean | undefined>>;

export async function mapper(values: Values, [what, which, ...more]: readonly string[]): Promise<number> {
  const config = typeof values['config-file'] === 'string' ? values['config-file'] : undefined;
  if (which === undefined && what !== undefined && Object.hasOwn(builtInDrivers, what)) {
    const { runMapper } = await import('../mapper-daemon.ts');
    return runMapper(await builtInDrivers[what]!(), config);
  }
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
async function loadMapper(file: string): Promise<AnyDriver> {
  const path = resolve(file);
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  } catch (cause) {
    throw new CommandLineError(`${path} cannot be loaded`, { cause });
  }
  const driver = module.default as Partial<AnyDriver> | undefined;
  if (typeof driver?.open !== 'function' || typeof driver.protocol !== 'string') {
    throw new CommandLineError(`${path} has no driver: write "export default defineMapper({ ... })" in it`);
  }
  return driver as AnyDriver;
}

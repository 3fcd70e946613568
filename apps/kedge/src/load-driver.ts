// Packages that are loaded when something needs them, from where the program runs or from beside kedge.
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Databases and brokers that not every mapper needs: whoever uses one installs its driver where the mapper runs. */
export async function loadDriver(name: string): Promise<unknown> {
  for (const place of [process.cwd(), import.meta.dirname]) {
    try {
      return createRequire(join(place, 'mapper.js'))(name) as unknown;
    } catch (error) {
      if ((error as { code?: string }).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  const root = name.split('/')[0]!;
  throw new Error(`package "${root}" is not installed: run "npm install ${root}" where the mapper runs`);
}

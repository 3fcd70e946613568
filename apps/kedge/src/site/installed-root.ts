// The folder that kedge is installed in: the one that holds bin/kedge, whether this runs bundled or from source.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

export function installedRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'bin', 'kedge'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('bin/kedge is not above this program: the installation is incomplete');
    folder = parent;
  }
  return folder;
}

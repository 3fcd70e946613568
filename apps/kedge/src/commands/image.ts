// `kedge image build|load|manifest`: the mappers as a container image, without docker and without a registry.
import { existsSync, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { writeImageArchive } from '@kedge/platform/containerd';
import type { Values } from '../command-line.ts';
import { loadMapperImage } from '../image/load-image.ts';
import { mapperImage, mapperImageSpec } from '../image/mapper-image.ts';
import { mapperManifest, nodeLabelOf } from '../image/mapper-manifest.ts';
import { installedRoot } from '../site/installed-root.ts';
import { siteLayout } from '../site/layout.ts';
import { CommandLineError } from './command-line-error.ts';

export async function image(values: Values, [what, ...words]: readonly string[]): Promise<number> {
  const reference = String(values['image'] ?? mapperImage);
  switch (what) {
    case 'build':
      return build(values, reference, words);
    case 'load': {
      if (words.length > 0) throw new CommandLineError('see "kedge image --help"');
      const layout = siteLayout(String(values['data'] ?? './.kedge'));
      if (!existsSync(layout.data)) throw new Error(`there is no site in ${layout.data}`);
      await loadMapperImage(layout, reference);
      process.stdout.write(`${reference} is on the node of the site in ${layout.data}\n`);
      return 0;
    }
    case 'manifest':
      return manifest(values, reference, words);
    default:
      throw new CommandLineError('see "kedge image --help"');
  }
}

async function build(values: Values, reference: string, words: readonly string[]): Promise<number> {
  if (words.length > 0) throw new CommandLineError('see "kedge image --help"');
  const output = String(values['output'] ?? 'kedge-mapper.tar');
  await writeImageArchive(output, [await mapperImageSpec(installedRoot(), reference)]);
  const megabytes = Math.round(statSync(output).size / 1e6);
  process.stdout.write(`${output}: ${reference}, ${megabytes} MB
On a node: ctr --namespace k8s.io images import ${output}
`);
  return 0;
}

function manifest(values: Values, reference: string, [protocol, ...more]: readonly string[]): number {
  if (protocol === undefined || more.length > 0 || !/^[a-z][a-z0-9-]{0,40}$/.test(protocol)) {
    throw new CommandLineError('name one protocol, such as "kedge image manifest modbus"');
  }
  const site = values['data'] === undefined ? undefined : siteLayout(String(values['data']));
  const dmiSocket = String(values['dmi-socket'] ?? site?.edge.dmiSocket ?? '/etc/kubeedge/dmi.sock');
  const dataDirectory = site?.devices.directory ?? '/var/lib/kubeedge/mappers';
  if (!isAbsolute(dmiSocket)) throw new CommandLineError(`--dmi-socket ${dmiSocket}: give an absolute path`);
  const port = values['rest-port'];
  if (port !== undefined && !/^\d{1,5}$/.test(String(port)))
    throw new CommandLineError(`--rest-port ${port}: give a port`);
  const namespace = String(values['namespace'] ?? 'default');
  const restPort = port === undefined ? undefined : Number(port);
  process.stdout.write(mapperManifest({ protocol, image: reference, namespace, dmiSocket, dataDirectory, restPort }));
  process.stderr.write(`It runs where a node has the label: kubectl label node NODE ${nodeLabelOf(protocol)}=true\n`);
  return 0;
}

// `kedge device discover`: from here or from a node, and what was found as objects to review and apply.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '@kedge/core/log';
import { onTermination, systemClock, writeToStandardError } from '@kedge/platform/node';
import { openKubeApi } from '../kube-access.ts';
import { mapperImage } from '../image/mapper-image.ts';
import { type SiteLayout, siteLayout } from '../site/layout.ts';
import { defaultNodeName } from '../site/node-name.ts';
import { readSiteState } from '../site/site-state.ts';
import { type Found, searchHere, type SearchRequest } from './search-here.ts';
import { searchThere } from './search-there.ts';
import { toYaml } from './to-yaml.ts';

export interface DiscoverOptions {
  readonly request: SearchRequest;
  /** Search from there; undefined: from here. */
  readonly node: string | undefined;
  readonly namespace: string;
  readonly image: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly data: string;
  readonly output: 'yaml' | 'json';
}

/** Exit code 1: nothing was found. */
export async function discover(options: DiscoverOptions): Promise<number> {
  const { request, node, namespace, output } = options;
  const termination = onTermination();
  let count = 0;
  const print = ({ protocol, found }: Found): void => {
    count += 1;
    if (output === 'json') return void process.stdout.write(`${JSON.stringify({ protocol, found })}\n`);
    process.stdout.write(toYaml({ protocol, found }, { node: node ?? defaultNodeName(), namespace }));
  };
  try {
    if (node === undefined) {
      const log = createLog({ now: systemClock.now, write: writeToStandardError, level: 'warn' });
      for await (const one of searchHere(request, log, termination.signal)) print(one);
    } else {
      for (const one of await fromNode(options, node, termination.signal)) print(one);
    }
  } finally {
    termination.stop();
  }
  if (output === 'json') return 0;
  if (count === 0) process.stderr.write('nothing was found\n');
  return count === 0 ? 1 : 0;
}

async function fromNode(
  { request, namespace, image = mapperImage, kubeconfig: given, data }: DiscoverOptions,
  node: string,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const layout = siteLayout(data);
  const kubeconfig = findKubeconfig(given, layout);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  if (kubeconfig === layout.kubeconfig && image === mapperImage && (await readSiteState(layout))?.node === node) {
    const { hasImage, loadMapperImage } = await import('../image/load-image.ts');
    if (!(await hasImage(layout, image))) {
      say(`putting ${image} on the node ...`);
      await loadMapperImage(layout);
    }
  }
  const { api, close } = await openKubeApi(kubeconfig, 'kedge-discover');
  try {
    return await searchThere({ api, node, namespace, image, request, say }, signal);
  } finally {
    await close();
  }
}

/** As kubectl looks for it, and before its last resort the site that is here. */
function findKubeconfig(given: string | undefined, layout: SiteLayout): string {
  const named = given ?? process.env['KUBECONFIG'];
  if (named !== undefined && named !== '') return named;
  return existsSync(layout.kubeconfig) ? layout.kubeconfig : join(homedir(), '.kube', 'config');
}

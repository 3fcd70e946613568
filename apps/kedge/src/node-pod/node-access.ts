// What it takes to run a pod of ours on a node: the API that kubectl would use, and the image where the node finds it.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { KubeApi } from '@kedge/engine/kube-client';
import { mapperImage } from '../image/mapper-image.ts';
import { openKubeApi } from '../kube-access.ts';
import { type SiteLayout, siteLayout } from '../site/layout.ts';
import { readSiteState, type SiteState } from '../site/site-state.ts';

export interface NodeAccessOptions {
  readonly image: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly data: string;
}

export interface NodeAccess {
  readonly api: KubeApi;
  readonly image: string;
  /** Of the site of this machine, when the API is its and the node too. */
  siteOf(node: string): Promise<SiteState | undefined>;
  /** Where the node is a site of this machine, the image is put there. */
  prepare(node: string): Promise<void>;
}

export const sayOnStandardError = (line: string): void => void process.stderr.write(`${line}\n`);

export async function withNodeAccess<T>(
  { image: given, kubeconfig: named, data }: NodeAccessOptions,
  userAgent: string,
  work: (access: NodeAccess) => Promise<T>,
): Promise<T> {
  const layout = siteLayout(data);
  const kubeconfig = findKubeconfig(named, layout);
  const image = given ?? mapperImage;
  const siteOf = async (node: string): Promise<SiteState | undefined> => {
    const state = kubeconfig === layout.kubeconfig ? await readSiteState(layout) : undefined;
    return state?.node === node ? state : undefined;
  };
  const { api, close } = await openKubeApi(kubeconfig, userAgent);
  try {
    return await work({
      api,
      image,
      siteOf,
      async prepare(node) {
        if (image !== mapperImage || !(await siteOf(node))) return;
        const { hasImage, loadMapperImage } = await import('../image/load-image.ts');
        if (await hasImage(layout, image)) return;
        sayOnStandardError(`putting ${image} on the node ...`);
        await loadMapperImage(layout);
      },
    });
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

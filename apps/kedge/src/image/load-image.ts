// Puts the image of the mappers where a site on this machine finds it.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { containerdPid, containerdSite, importImages, writeImageArchive } from '@kedge/platform/containerd';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { createCri } from '@kedge/wire/cri';
import { installedRoot } from '../site/installed-root.ts';
import type { SiteLayout } from '../site/layout.ts';
import { mapperImageSpec } from './mapper-image.ts';

export async function loadMapperImage(layout: SiteLayout, reference?: string): Promise<void> {
  const runtime = containerdSite(layout.containerd);
  if ((await containerdPid(runtime)) === undefined) {
    throw new Error(`the site in ${layout.data} does not run: start it with "kedge up"`);
  }
  const archive = join(runtime.directory, `mapper-${process.pid}.tar`);
  try {
    await writeImageArchive(archive, [await mapperImageSpec(installedRoot(), reference)]);
    await importImages(runtime, archive);
  } finally {
    await rm(archive, { force: true });
  }
}

/** Whether pods of the site find it without a registry. */
export async function hasImage(layout: SiteLayout, reference: string): Promise<boolean> {
  const channel = openGrpcChannel({ socketPath: containerdSite(layout.containerd).socket });
  try {
    const { image } = await createCri(channel).imageStatus({ image: { image: reference } });
    return image !== undefined;
  } finally {
    channel.close();
  }
}

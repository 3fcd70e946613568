// Installs our CustomResourceDefinitions at start and waits until the API serves them. An older one of ours is brought up to
// date; what somebody else installed stays as it is: an administrator, or KubeEdge, may have put more into it.

import { type Clock, seconds, withTimeout } from '@kedge/core/time';

import { defineErrors } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import {
  definitionRevision,
  deviceDefinitions,
  operationDefinitions,
  ruleDefinitions,
} from '@kedge/model/kubeedge-definitions';
import { reliableSyncDefinitions } from './reliablesyncs.ts';

export const crdErrors = defineErrors('CRDS', {
  NOT_ESTABLISHED: {
    retry: 'backoff',
    say: (d: { name: string; seconds: number }) =>
      `the Kubernetes API does not serve ${d.name} ${d.seconds} s after it was installed; look at its conditions`,
  },
});

const definitions: readonly KubeObject[] = [
  ...reliableSyncDefinitions,
  ...deviceDefinitions,
  ...ruleDefinitions,
  ...operationDefinitions,
];

const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const patience = seconds(60);

export interface CrdInstallerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
}

export function createCrdInstaller({ clock, log, kube }: CrdInstallerDeps): Module {
  async function install(definition: KubeObject, signal: AbortSignal): Promise<void> {
    const name = definition.metadata.name ?? '';
    try {
      await kube.create(crds, undefined, definition, { signal });
      log.info('installed a resource definition', { name });
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
      await bringUpToDate(name, definition, signal);
    }
    for (;;) {
      if (isEstablished(await kube.get(crds, { name }, { signal }))) return;
      await clock.sleep(`${name} to be served`, seconds(0.2), signal);
    }
  }

  async function bringUpToDate(name: string, definition: KubeObject, signal: AbortSignal): Promise<void> {
    const stored = revisionOf(await kube.get(crds, { name }, { signal }));
    const ours = revisionOf(definition);
    if (stored === undefined || ours === undefined || stored >= ours) return;
    // How versions are converted is registered by whoever converts them.
    const { versions } = definition['spec'] as { versions: unknown };
    const annotations = { [definitionRevision.annotation]: String(ours) };
    const document = JSON.stringify({ metadata: { annotations }, spec: { versions } });
    await kube.patch(crds, { name }, 'merge', document, { signal });
    log.info('brought a resource definition up to date', { name, from: stored, to: ours });
  }

  return {
    name: 'crds',
    async start({ signal }) {
      await Promise.all(
        definitions.map((definition) => {
          const { name = '' } = definition.metadata;
          const late = () => crdErrors.NOT_ESTABLISHED({ name, seconds: patience / seconds(1) });
          return withTimeout(clock, `${name} to be served`, patience, install(definition, signal), late);
        }),
      );
    },
  };
}

/** Undefined: it is not one of ours, or from before they were counted. */
function revisionOf({ metadata }: KubeObject): number | undefined {
  const text = metadata.annotations?.[definitionRevision.annotation];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** A Go API server writes conditions that are not there yet as null. */
function isEstablished(definition: KubeObject): boolean {
  const { conditions } = (definition['status'] ?? {}) as { conditions?: { type: string; status: string }[] | null };
  return (conditions ?? []).some(({ type, status }) => type === 'Established' && status === 'True');
}

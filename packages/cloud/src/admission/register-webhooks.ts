// Keeps our webhooks registered: written at start, and again when somebody removed them or the CA became another one.
import type { Log } from '@kedge/core/log';
import { type Clock, minutes, seconds } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import {
  conversionBy,
  convertedDefinitions,
  type WebhookConfiguration,
  webhookConfigurations,
  type WebhookPlace,
} from './webhook-configurations.ts';

const group = 'admissionregistration.k8s.io';
const collections = {
  ValidatingWebhookConfiguration: { group, version: 'v1', resource: 'validatingwebhookconfigurations' },
  MutatingWebhookConfiguration: { group, version: 'v1', resource: 'mutatingwebhookconfigurations' },
} as const;

const definitions = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

const lookAgain = minutes(5);
const tryAgain = seconds(10);

export interface RegistrationDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly place: () => WebhookPlace;
  readonly caPem: () => string;
}

export interface Registration {
  /** Resolves when all are registered. */
  register(signal: AbortSignal): Promise<void>;
  /** Runs until `signal` aborts. */
  keep(signal: AbortSignal): Promise<void>;
}

export function createRegistration({ clock, log, kube, place, caPem }: RegistrationDeps): Registration {
  async function put(wanted: WebhookConfiguration, isFirst: boolean, signal: AbortSignal): Promise<void> {
    const collection = collections[wanted.kind as keyof typeof collections];
    const name = wanted.metadata?.name ?? '';
    try {
      const stored = await kube.get(collection, { name }, { signal });
      // Another cloudcore may be registered instead of us; it answers the same.
      if (!isFirst && hasAuthority(stored, wanted)) return;
      const { resourceVersion, uid } = stored.metadata;
      const metadata = { ...stored.metadata, name, resourceVersion, uid } as KubeObject['metadata'];
      await kube.update(collection, { ...(wanted as unknown as KubeObject), metadata }, { signal });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
      await kube.create(collection, undefined, wanted as unknown as KubeObject, { signal });
    }
    log.info('webhooks are registered', { name });
  }

  async function putConversion(name: string, isFirst: boolean, signal: AbortSignal): Promise<void> {
    const conversion = conversionBy(place(), caPem());
    const { spec } = (await kube.get(definitions, { name }, { signal })) as unknown as {
      spec: { conversion?: { webhook?: { clientConfig?: { caBundle?: string } } } };
    };
    const isOurs = spec.conversion?.webhook?.clientConfig?.caBundle === conversion.webhook.clientConfig.caBundle;
    if (!isFirst && isOurs) return;
    // A URL does not go together with a Service that was there before.
    const replaced = JSON.stringify([{ op: 'add', path: '/spec/conversion', value: conversion }]);
    await kube.patch(definitions, { name }, 'json', replaced, { signal });
  }

  async function registerAll(isFirst: boolean, signal: AbortSignal): Promise<void> {
    for (const wanted of webhookConfigurations(place(), caPem())) await put(wanted, isFirst, signal);
    for (const name of convertedDefinitions) await putConversion(name, isFirst, signal);
  }

  return {
    register: (signal) => registerAll(true, signal),
    async keep(signal) {
      let isDone = true;
      for (;;) {
        await clock.sleep('webhooks to be looked at', isDone ? lookAgain : tryAgain, signal);
        isDone = await registerAll(false, signal).then(
          () => true,
          (error: unknown) => {
            if (!signal.aborted) log.warn('webhooks cannot be registered', { err: error });
            return false;
          },
        );
      }
    },
  };
}

/** Whether it names the same hooks and trusts our CA. */
function hasAuthority(stored: KubeObject, wanted: WebhookConfiguration): boolean {
  const { webhooks = [] } = stored as { webhooks?: { name: string; clientConfig?: { caBundle?: string } }[] };
  return (wanted.webhooks ?? []).every(({ name, clientConfig }) =>
    webhooks.some((hook) => hook.name === name && hook.clientConfig?.caBundle === clientConfig.caBundle),
  );
}

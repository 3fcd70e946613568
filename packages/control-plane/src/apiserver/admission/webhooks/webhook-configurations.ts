// The webhooks that are registered, in the order in which they are asked: configurations by name, hooks as they are listed.
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '@kedge/model/k8s-types';

export interface RegisteredWebhook<T> {
  readonly hook: T;
  /** Tells hooks of the same name apart. */
  readonly key: string;
}

export interface WebhookConfigurations {
  mutating(): readonly RegisteredWebhook<MutatingWebhook>[];
  validating(): readonly RegisteredWebhook<ValidatingWebhook>[];
  /** A configuration was written. */
  forget(): void;
}

interface Configuration<T> {
  readonly metadata: { readonly name?: string };
  readonly webhooks?: readonly T[];
}

export function createWebhookConfigurations(all: <T>(collection: string) => readonly T[]): WebhookConfigurations {
  const group = 'admissionregistration.k8s.io';
  let mutating: readonly RegisteredWebhook<MutatingWebhook>[] | undefined;
  let validating: readonly RegisteredWebhook<ValidatingWebhook>[] | undefined;
  return {
    mutating: () => (mutating ??= inOrder(all<MutatingWebhookConfiguration>(`mutatingwebhookconfigurations.${group}`))),
    validating: () =>
      (validating ??= inOrder(all<ValidatingWebhookConfiguration>(`validatingwebhookconfigurations.${group}`))),
    forget() {
      mutating = undefined;
      validating = undefined;
    },
  };
}

const inOrder = <T extends { readonly name: string }>(
  configurations: readonly Configuration<T>[],
): readonly RegisteredWebhook<T>[] =>
  configurations
    .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
    .flatMap(({ metadata, webhooks = [] }) =>
      webhooks.map((hook, at) => ({ hook, key: `${metadata.name}/${at}/${hook.name}` })),
    );

// The table of subresources with a mind of their own, and of kinds that are asked and never kept.
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { Security } from './api-security.ts';
import type { CustomKind } from './crds/custom-kinds.ts';
import type { KindCatalog } from './kinds/kind-catalog.ts';
import type { Collections } from './objects/collections.ts';
import type { ObjectReader } from './objects/read-objects.ts';
import type { RemoveObject } from './objects/remove-objects.ts';
import { type ObjectWriter, systemWrite } from './objects/write-objects.ts';
import {
  createBinding,
  createEphemeralContainers,
  createEviction,
  createResize,
  success,
} from './subresources/pod-subresources.ts';
import { createReviews } from './subresources/reviews.ts';
import { createScale } from './subresources/scale.ts';
import { createApproval, createFinalize } from './subresources/small-subresources.ts';
import type { Question, Subresource } from './subresources/subresource.ts';
import { createTokenRequest } from './subresources/token-request.ts';

export interface SubresourceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly kinds: KindCatalog;
  readonly collections: Collections;
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly remove: RemoveObject;
  readonly security: Security;
}

/** What a token can be bound to. */
const boundKinds: Readonly<Record<string, string>> = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' };

export function createSubresources(deps: SubresourceDeps): {
  readonly subresources: Readonly<Record<string, Subresource>>;
  readonly questions: Readonly<Record<string, Question>>;
} {
  const { clock, random, kinds, collections, reader, writer, remove, security } = deps;
  const budgetKind = kinds.builtin({ group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' });
  const podKind = kinds.builtin({ group: '', version: 'v1', resource: 'pods' });
  const podDeps = {
    clock,
    reader,
    writer,
    remove,
    budgets: (namespace: string) => ({ kind: budgetKind, items: collections.in(budgetKind.collection, namespace) }),
  };
  const binding = createBinding(podDeps);
  const { tokens, audience, authenticator, authorizer, rbac } = security;
  return {
    subresources: {
      '*/scale': createScale(reader, writer, (kind) => (kind as CustomKind).scale),
      'pods/binding': { create: binding },
      'pods/eviction': createEviction(podDeps),
      'pods/ephemeralcontainers': createEphemeralContainers(podDeps),
      'pods/resize': createResize(podDeps),
      'namespaces/finalize': createFinalize(reader, writer),
      'certificatesigningrequests.certificates.k8s.io/approval': createApproval(reader, writer),
      'serviceaccounts/token': createTokenRequest({
        clock,
        random,
        tokens,
        audience,
        reader,
        readBound(kind, namespace, name) {
          const of = kinds.builtin({ group: '', version: 'v1', resource: boundKinds[kind]! });
          return reader.get(of, namespace || undefined, name).object;
        },
      }),
    },
    questions: {
      ...createReviews({ authenticator, authorizer, audience, rulesFor: rbac.rulesFor }),
      // The older way to bind a pod: a Binding of the same name.
      async bindings(body, namespace, call) {
        await binding({ kind: podKind, namespace, name: body.metadata.name ?? '' }, body, systemWrite, call);
        return success(201);
      },
    },
  };
}

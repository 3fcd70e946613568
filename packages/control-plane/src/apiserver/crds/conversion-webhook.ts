// Conversion of custom resources by their author's webhook: ConversionReviews in batches, answers that are checked, and
// identities that no webhook can change.
import type { Random } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import { type Document, documentOfObject } from '@kedge/engine/kube-api';
import { apiVersionOf, type KubeObject } from '@kedge/model/k8s';
import { isObject } from '@kedge/model/k8s-patch';
import type { CustomResourceDefinition, WebhookConversion } from '@kedge/model/k8s-types';
import { internalError } from '../admission/webhooks/admission-review.ts';
import type { Kind } from '../kinds/kind.ts';
import type { WebhookClient } from '../webhooks/webhook-client.ts';

export interface ConversionDeps {
  readonly random: Random;
  readonly client: WebhookClient;
}

const patience = seconds(30);
const batch = 50;
const never = new AbortController().signal;

/** How a served version gets from and to what is stored; undefined where no webhook is asked. */
export function conversionWebhook(
  deps: ConversionDeps,
  { spec: { group, names, versions, conversion } }: CustomResourceDefinition,
  version: string,
): Kind['webhook'] {
  const webhook = conversion?.webhook;
  if (conversion?.strategy !== 'Webhook' || !webhook) return undefined;
  const served = apiVersionOf(group, version);
  /** Of most texts: those need not be parsed to see that they are right. */
  const start = `{"apiVersion":${JSON.stringify(served)},`;
  const stored = apiVersionOf(group, versions.find(({ storage }) => storage)?.name ?? version);
  const isForeign = (document: Document): boolean =>
    !document.text.startsWith(start) && document.object.apiVersion !== served;
  const convert = (objects: readonly KubeObject[], to: string) => ask(deps, webhook, names.kind, objects, to);
  return {
    async toStored(object) {
      if (stored === served) return object;
      const [converted] = await convert([object], stored);
      return converted!;
    },
    async toServed(documents) {
      const foreign = documents.filter(isForeign);
      if (foreign.length === 0) return documents;
      const converted = new Map<Document, Document>();
      for (let from = 0; from < foreign.length; from += batch) {
        const part = foreign.slice(from, from + batch);
        const objects = await convert(
          part.map(({ object }) => object),
          served,
        );
        part.forEach((document, at) => converted.set(document, documentOfObject(objects[at]!)));
      }
      return documents.map((document) => converted.get(document) ?? document);
    },
  };
}

async function ask(
  { random, client }: ConversionDeps,
  { clientConfig, conversionReviewVersions }: WebhookConversion,
  kind: string,
  objects: readonly KubeObject[],
  to: string,
): Promise<KubeObject[]> {
  const from = objects[0]?.apiVersion ?? '';
  const failed = (why: string): Error => internalError(`conversion webhook for ${from}, Kind=${kind} failed: ${why}`);
  const version = ['v1', 'v1beta1'].find((one) => conversionReviewVersions.includes(one));
  if (!version) throw failed('no conversion review version is known to both sides');
  const uid = random.uuid();
  const apiVersion = `apiextensions.k8s.io/${version}`;
  const review = { kind: 'ConversionReview', apiVersion, request: { uid, desiredAPIVersion: to, objects } };
  const answer = await client.post(clientConfig ?? {}, JSON.stringify(review), patience, never);
  if (!answer.ok) throw failed(answer.why);
  const response = isObject(answer.value) ? answer.value['response'] : undefined;
  if (!isObject(response)) throw failed('no response provided');
  if (response['uid'] !== uid)
    throw failed(`expected response.uid="${uid}", got ${JSON.stringify(response['uid'] ?? '')}`);
  const result = isObject(response['result']) ? response['result'] : {};
  if (result['status'] !== 'Success') throw failed(String(result['message'] || 'the webhook says so'));
  const converted = response['convertedObjects'];
  if (!Array.isArray(converted) || converted.length !== objects.length) {
    const got = Array.isArray(converted) ? converted.length : 0;
    throw failed(`returned ${got} objects, expected ${objects.length}`);
  }
  return objects.map((original, at) => {
    const made: unknown = converted[at];
    if (!isObject(made) || made['apiVersion'] !== to || made['kind'] !== original.kind)
      throw failed(`returned invalid converted object at index ${at}: expected ${to}, Kind=${original.kind}`);
    return keepIdentity(original, made as unknown as KubeObject);
  });
}

/** Labels and annotations may change with the version, nothing else in the metadata. */
function keepIdentity(original: KubeObject, made: KubeObject): KubeObject {
  const { labels: _, annotations: __, ...kept } = original.metadata;
  const { labels, annotations } = made.metadata ?? {};
  return {
    ...made,
    metadata: { ...kept, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) },
  };
}

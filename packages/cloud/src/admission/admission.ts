// The HTTPS server that a Kubernetes API asks before it takes what concerns edges, and that serves samples of devices.
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { HttpHandler, HttpServers, Listening, ServerRequest, ServerResponse, TlsFiles } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { type GroupVersionResource, isStatus } from '@kedge/model/k8s';
import { deviceModels, readDeviceModel } from '@kedge/model/kubeedge';
import { readReview, writeReview } from './admission-review.ts';
import { convertReview } from './convert-devices.ts';
import { createRegistration } from './register-webhooks.ts';
import { reviewDevice, reviewDeviceModel } from './review-devices.ts';
import { defaultUpgradeJob, reviewUpgradeJob } from './review-jobs.ts';
import { reviewRule, reviewRuleEndpoint, type Rules } from './review-rules.ts';
import { tolerateOffline } from './tolerate-offline.ts';
import type { Reviewer } from './verdict.ts';
import { webhookPaths, type WebhookPlace } from './webhook-configurations.ts';

export interface AdmissionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly servers: HttpServers;
  readonly tls: () => TlsFiles;
  readonly caPem: () => string;
  /** The CA of client certificates that callers may show; the API's own. */
  readonly clientCa: string | undefined;
  /** Whatever else is served here; undefined when the path is none of its own. */
  readonly also: (request: ServerRequest) => HttpHandler | undefined;
}

export interface AdmissionConfig {
  readonly address: string;
  readonly port: number;
  /** How the API reaches us; the port is filled in where it is 0. */
  readonly place: WebhookPlace;
}

export interface Admission extends Module {
  /** A renewed serving certificate counts for new connections. */
  renew(tls: TlsFiles): void;
  readonly port: number;
}

/** An object of the greatest size, before and after. */
const maxReviewBytes = 8 << 20;
/** A page of a list. */
const maxConversionBytes = 64 << 20;
const plain = { 'content-type': 'text/plain; charset=utf-8' };
const json = { 'content-type': 'application/json' };

const rules: GroupVersionResource = { group: 'rules.kubeedge.io', version: 'v1', resource: 'rules' };
const ruleEndpoints: GroupVersionResource = { ...rules, resource: 'ruleendpoints' };

export function createAdmission(deps: AdmissionDeps, config: AdmissionConfig): Admission {
  const { kube, servers, tls, also } = deps;
  const log = deps.log.child({ module: 'admission' });
  let listening: Listening | undefined;

  const find = (of: GroupVersionResource, namespace: string, name: string, signal: AbortSignal) =>
    kube.get(of, { namespace, name }, { signal }).catch(ifMissing);
  const known: Rules = {
    endpoint: (namespace, name, signal) =>
      name === '' ? Promise.resolve(undefined) : find(ruleEndpoints, namespace, name, signal),
    rules: async (namespace, signal) => (await kube.list(rules, { namespace }, { signal })).items,
  };
  const reviewers: Readonly<Record<string, Reviewer>> = {
    // Read from the API itself: the model may have come with the very same file.
    [webhookPaths.devices]: reviewDevice(async (namespace, name, signal) => {
      const model = await find(deviceModels, namespace, name, signal);
      return model && readDeviceModel(model);
    }),
    [webhookPaths.deviceModels]: reviewDeviceModel,
    [webhookPaths.rules]: reviewRule(known),
    [webhookPaths.ruleEndpoints]: reviewRuleEndpoint(known),
    [webhookPaths.upgradeJobs]: reviewUpgradeJob,
    [webhookPaths.upgradeJobDefaults]: defaultUpgradeJob,
    [webhookPaths.offlineMigration]: tolerateOffline,
  };

  async function handle(request: ServerRequest, response: ServerResponse): Promise<void> {
    const other = also(request);
    if (other) return other(request, response);
    const reviewer = Object.hasOwn(reviewers, request.path) ? reviewers[request.path] : undefined;
    const isConversion = request.path === webhookPaths.conversion;
    if (!reviewer && !isConversion) return response.send(404, plain, 'there is no webhook at this path');
    if (request.method !== 'POST') return response.send(405, { ...plain, allow: 'POST' }, 'reviews are posted');
    const [type = ''] = (request.headers['content-type'] ?? '').split(';');
    if (type.trim().toLowerCase() !== 'application/json') {
      return response.send(415, plain, 'a review comes as application/json');
    }
    const text = new TextDecoder().decode(await request.body(isConversion ? maxConversionBytes : maxReviewBytes));
    if (!reviewer) {
      const converted = convertReview(text);
      if (converted === undefined) return response.send(400, plain, 'this is no ConversionReview');
      return response.send(200, json, converted);
    }
    const review = readReview(text);
    if (!review) return response.send(400, plain, 'this is no AdmissionReview of admission.k8s.io/v1');
    const verdict = await reviewer(review, request.signal);
    if (!verdict.allowed) {
      const { namespace, name } = review;
      // Where it is wrong; what stands there is not for logs.
      const [reason = ''] = verdict.say.split(':');
      log.info('request refused', { resource: request.path, namespace, name, reason });
    }
    return response.send(200, json, writeReview(review.uid, verdict));
  }

  const placeNow = (): WebhookPlace => {
    const { place } = config;
    if (place.by === 'service' || config.port !== 0) return place;
    const url = new URL(place.url);
    url.port = String(listening?.port ?? 0);
    return { by: 'url', url: url.href.replace(/\/$/, '') };
  };
  const registration = createRegistration({ ...deps, log, place: placeNow });

  return {
    name: 'admission',
    get port() {
      return listening?.port ?? config.port;
    },
    renew: (files) => listening?.renew(files),
    async start(scope) {
      const { clientCa } = deps;
      listening = await servers.listen({
        address: config.address,
        port: config.port,
        tls: { ...tls(), ...(clientCa === undefined ? {} : { clientCa, clientAuth: 'request' as const }) },
        handler: handle,
      });
      const open = listening;
      scope.defer('admission listener', () => open.close());
      log.info('admission is listening', { address: config.address, port: listening.port });
      // Links matter more: without the right to register, webhooks are left out.
      await registration
        .register(scope.signal)
        .catch((error: unknown) => log.warn('webhooks cannot be registered', { err: error }));
      scope.spawn('webhooks to stay registered', registration.keep);
    },
  };
}

function ifMissing(error: unknown): undefined {
  if (!isStatus(error, 'NotFound')) throw error;
  return undefined;
}

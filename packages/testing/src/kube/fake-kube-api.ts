// A Kubernetes API in memory for module tests: real semantics for everything controllers rely on (versions, watches,
// status, generations, finalizers, graceful deletion, bindings), no admission, no validation, no server-side apply.
// The same contract suite runs over this and over our API server.
import { type Clock, toTime } from '@kedge/core/time';
import { type DeleteOptions, type KubeApi, type Selection, type Target } from '@kedge/engine/kube-client';
import { fail, type GroupVersionResource, type KubeObject, notFound, objectKey } from '@kedge/model/k8s';
import { jsonEqual, jsonPatch, type JsonObject, mergePatch, strategicMerge } from '@kedge/model/k8s-patch';
import { builtinResources, type ResourceInfo } from '@kedge/model/k8s-resources';
import { loadBuiltinSchemas, shapeOf } from '@kedge/model/k8s-schema';
import { discoveryBody } from './fake-discovery.ts';
import { FakeStore } from './fake-store.ts';
import { checkPreconditions, deleting, gracePeriod, isGone, newObject, updated } from './object-rules.ts';
import { selectionFilter } from './selection-filter.ts';

export interface FakeKubeApi extends KubeApi {
  /** Makes every watch from an older version expire, as compaction does. */
  compact(): void;
  /** Fails the next calls that match, as a broken server would; each failure is used once. */
  failNext(verb: string, resource: string, error: Error): void;
  readonly version: string;
}

export interface FakeKubeApiOptions {
  readonly clock: Clock;
  /** Custom resources, besides the built-in ones. */
  readonly resources?: readonly ResourceInfo[];
}

export function createFakeKubeApi({ clock, resources = [] }: FakeKubeApiOptions): FakeKubeApi {
  const known = [...builtinResources, ...resources];
  const store = new FakeStore();
  const failures: { verb: string; resource: string; error: Error }[] = [];
  let made = 0;

  function open(verb: string, of: GroupVersionResource): ResourceInfo {
    const at = failures.findIndex((failure) => failure.verb === verb && failure.resource === of.resource);
    if (at >= 0) throw failures.splice(at, 1)[0]!.error;
    const info = known.find(
      (one) => one.group === of.group && one.version === of.version && one.resource === of.resource,
    );
    if (!info) throw fail('NotFound', 'the server could not find the requested resource');
    return info;
  }

  function stored(
    info: ResourceInfo,
    { namespace, name }: { namespace?: string | undefined; name: string },
  ): KubeObject {
    const object = store.get(collectionOf(info), namespace ? `${namespace}/${name}` : name);
    if (!object) throw notFound(info.resource, info.group, name);
    return object;
  }

  function write(info: ResourceInfo, before: KubeObject, next: KubeObject): KubeObject {
    if (jsonEqual(before, next)) return before;
    if (!isGone(next)) return store.put(collectionOf(info), next);
    store.remove(collectionOf(info), next);
    return next;
  }

  function createSubresource(info: ResourceInfo, target: Target, body: KubeObject): KubeObject {
    const before = stored(info, target);
    switch (`${info.resource}/${target.subresource}`) {
      case 'pods/binding':
        return bind(info, before, body);
      case 'pods/eviction':
        remove(info, before, {});
        return body;
      case 'serviceaccounts/token':
        return { ...body, status: { token: `token-of-${target.name}`, expirationTimestamp: '2030-01-01T00:00:00Z' } };
      default:
        throw notFound(`${info.resource}/${target.subresource}`, info.group, target.name);
    }
  }

  function bind(info: ResourceInfo, pod: KubeObject, body: KubeObject): KubeObject {
    const node = (body['target'] as { name?: string } | undefined)?.name;
    const spec = pod['spec'] as { nodeName?: string };
    if (spec.nodeName)
      throw fail('Conflict', `pod ${pod.metadata.name} is already assigned to node "${spec.nodeName}"`);
    checkPreconditions(pod, body.metadata.uid);
    const condition = { type: 'PodScheduled', status: 'True', lastTransitionTime: toTime(clock.now()) };
    const status = pod['status'] as { conditions?: { type: string }[] };
    const conditions = [...(status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled'), condition];
    write(info, pod, { ...pod, spec: { ...spec, nodeName: node }, status: { ...status, conditions } });
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };
  }

  function remove(info: ResourceInfo, before: KubeObject, options: DeleteOptions): void {
    checkPreconditions(before, options.uid, options.resourceVersion);
    const finalizers = new Set(before.metadata.finalizers);
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan');
    const next = deleting(before, clock.now(), gracePeriod(before, options.gracePeriodSeconds), [...finalizers]);
    const terminating =
      info.kind === 'Namespace' ? { ...next, status: { ...(next['status'] as object), phase: 'Terminating' } } : next;
    write(info, before, terminating);
  }

  async function patched(info: ResourceInfo, before: KubeObject, type: string, document: string): Promise<KubeObject> {
    const patch: unknown = JSON.parse(document);
    if (type === 'json') return jsonPatch(before, patch) as KubeObject;
    if (type === 'merge') return mergePatch(before, patch) as KubeObject;
    if (type !== 'strategic') throw fail('UnsupportedMediaType', 'the fake API has no server-side apply');
    const schema = (await loadBuiltinSchemas()).ofKind(before.apiVersion ?? '', info.kind);
    return strategicMerge(before, patch as JsonObject, schema && shapeOf(schema)) as KubeObject;
  }

  return {
    get version() {
      return store.version;
    },
    compact: () => store.compact(),
    failNext: (verb, resource, error) => void failures.push({ verb, resource, error }),

    async get(of, target) {
      return stored(open('get', of), target);
    },
    async list(of, selection: Selection = {}) {
      const matches = selectionFilter(selection);
      return { items: store.list(collectionOf(open('list', of))).filter(matches), resourceVersion: store.version };
    },
    async *watch(of, selection, resourceVersion, signal) {
      yield* store.watch(collectionOf(open('watch', of)), resourceVersion, selectionFilter(selection), signal);
    },
    async create(of, namespace, object, options) {
      const info = open('create', of);
      if (options?.subresource) return createSubresource(info, { namespace, ...options.subresource }, object);
      made += 1;
      const created = newObject(
        { ...object, apiVersion: info.group ? `${info.group}/${info.version}` : info.version, kind: info.kind },
        {
          now: clock.now(),
          uid: `uid-${made}`,
          nameSuffix: made.toString(36).padStart(5, '0'),
          namespace: info.namespaced ? namespace : undefined,
          dropStatus: 'status' in info.subresources && info.kind !== 'Node',
        },
      );
      if (store.get(collectionOf(info), objectKey(created))) {
        throw fail('AlreadyExists', `${info.resource} "${created.metadata.name}" already exists`, {
          kind: info.resource,
        });
      }
      return store.put(collectionOf(info), created);
    },
    async update(of, object, options) {
      const info = open('update', of);
      const { namespace, name = '' } = object.metadata;
      const before = stored(info, { namespace, name });
      if (options?.subresource === 'finalize') {
        checkPreconditions(before, undefined, object.metadata.resourceVersion);
        return write(info, before, { ...before, spec: object['spec'] });
      }
      return write(info, before, updated(before, object, partOf(info, options?.subresource)));
    },
    async patch(of, target, type, document) {
      const info = open('patch', of);
      const next = await patched(info, stored(info, target), type, document);
      const before = stored(info, target);
      return write(info, before, updated(before, next, partOf(info, target.subresource)));
    },
    async delete(of, target, options = {}) {
      const info = open('delete', of);
      remove(info, stored(info, target), options);
    },
    async raw(path) {
      const body = discoveryBody(known, path);
      return body === undefined ? { status: 404, body: '' } : { status: 200, body: JSON.stringify(body) };
    },
  };
}

const collectionOf = ({ group, resource }: ResourceInfo): string => `${group}/${resource}`;

function partOf(info: ResourceInfo, subresource: string | undefined): 'object' | 'status' | 'all' {
  if (subresource === 'status') return 'status';
  return 'status' in info.subresources ? 'object' : 'all';
}

// One handler for everything an edge may ask or report, put together from those of nodes, pods and other objects.
import type { Log } from '@kedge/core/log';
import { fail, type NodeName, nodeName, type Uid } from '@kedge/model/k8s';
import type { LinkedType } from '@kedge/model/messages';
import { type Answer, type Asked, type EdgeHandlers, ok } from './answer.ts';
import type { createNodeUp } from './nodes.ts';
import type { createObjectUp } from './objects.ts';
import type { createPodUp } from './pods.ts';

export interface UpDeps {
  readonly log: Log;
  readonly nodes: ReturnType<typeof createNodeUp>;
  readonly pods: ReturnType<typeof createPodUp>;
  readonly objects: ReturnType<typeof createObjectUp>;
  /** PEM of the Kubernetes API's CA; undefined when we reach it without one. */
  readonly kubeCa: string | undefined;
}

/** Addresses are taken at their word: whether this node may is decided before. */
export function createHandlers({ log, nodes, pods, objects, kubeCa }: UpDeps): EdgeHandlers {
  function get(node: NodeName, { ref }: Asked<'object.get'>, signal: AbortSignal): Promise<Answer> {
    const type = ref.type as LinkedType;
    switch (type) {
      case 'node':
        return nodes.get(nodeName(ref.name), signal);
      case 'lease':
        return nodes.lease.get(nodeName(ref.name), signal);
      case 'pod':
        return pods.get(node, ref, signal);
      case 'configmap':
      case 'secret':
        return objects.getReferenced(type, ref, signal);
      case 'persistentvolume':
      case 'persistentvolumeclaim':
      case 'volumeattachment':
        return objects.getVolume(node, type, ref, signal);
      case 'runtimeclass':
        return objects.getRuntimeClass(ref, signal);
      case 'servicelist':
        return objects.listServices(ref, signal);
      case 'certificatesigningrequest':
        return objects.getRequest(node, ref, signal);
      default:
        return Promise.reject(unsupported('read', type));
    }
  }

  function create(node: NodeName, question: Asked<'object.create'>, signal: AbortSignal): Promise<Answer> {
    const { ref, object } = question;
    switch (ref.type) {
      case 'node':
        return nodes.create(nodeName(ref.name), object, signal);
      case 'lease':
        return nodes.lease.create(nodeName(ref.name), object, signal);
      case 'pod':
        return pods.create(question, signal);
      case 'certificatesigningrequest':
        return objects.createRequest(node, object, signal);
      default:
        return Promise.reject(unsupported('create', ref.type));
    }
  }

  function update({ ref, object }: Asked<'object.update'>, signal: AbortSignal): Promise<Answer> {
    switch (ref.type) {
      case 'node':
        return nodes.update(nodeName(ref.name), object, signal);
      case 'lease':
        return nodes.lease.update(nodeName(ref.name), object, signal);
      default:
        return Promise.reject(unsupported('update', ref.type));
    }
  }

  return {
    'object.get': get,
    'object.create': create,
    'object.update': (_node, question, signal) => update(question, signal),
    'node.status': (_node, { ref, patch }, signal) => nodes.patchStatus(nodeName(ref.name), patch, signal),
    'pod.status': (node, { ref, patch }, signal) => pods.patchStatus(node, ref, patch, signal),
    'pod.delete': (node, question, signal) => pods.delete(node, question, signal),
    'token.request': (_node, question, signal) => objects.requestToken(question, signal),
    'ca.get': async () => {
      if (kubeCa === undefined) throw fail('NotFound', 'the Kubernetes API is reached without a CA of its own');
      return { outcome: { ok: true, value: kubeCa } };
    },
    'event.put': async (_node, message, signal) => {
      await objects.putEvent(message, signal);
      return undefined;
    },
    'event.patch': async (_node, message, signal) => {
      await objects.patchEvent(message, signal);
      return undefined;
    },
    'legacy.status': async (node, message, signal) => {
      for (const { uid, name, status } of message.reports) {
        if (message.of === 'node') await nodes.patchStatus(nodeName(name), JSON.stringify({ status }), signal);
        else await pods.reportLegacy(node, { ...message.ref, name }, uid as Uid, status, signal);
      }
      return ok;
    },
    'bus.upload': async (node, { topic }) => {
      log.debug('a message for rules that there are none of', { node, name: topic });
      return undefined;
    },
    unknown: async (node, { raw }) => {
      log.debug('message of a kind that is not known here', { node, resource: raw.route.resource });
      return undefined;
    },
  };
}

const unsupported = (verb: string, type: string) =>
  fail('MethodNotAllowed', `this cloudcore does not ${verb} objects of type "${type}" for nodes`);

// `pods/log`: finds the kubelet that runs the pod and hands on what the container prints, for as long as the client
// reads. Source: v1 PodLogOptions; texts as kubectl users know them.
import { httpErrors } from '@kedge/core/ports';
import type { ObjectTarget, ServeText } from '@kedge/engine/kube-api';
import { fail } from '@kedge/model/k8s';
import type { Node, Pod } from '@kedge/model/k8s-types';
import type { Kubelets } from '../kubelets.ts';

export interface PodLogDeps {
  readonly pod: (namespace: string, name: string) => Pod;
  readonly node: (name: string) => Node | undefined;
  readonly kubelets: Pick<Kubelets, 'get'>;
}

const defaultContainer = 'kubectl.kubernetes.io/default-container';
const passedOn = ['follow', 'previous', 'timestamps', 'tailLines', 'limitBytes', 'sinceSeconds', 'sinceTime', 'stream'];
const longestRefusal = 16 << 10;
const needsCloudStream =
  "an edge with KubeEdge's edgecore serves its logs on loopback only, over HTTP; they are had through CloudStream";

/** Its kubelet says `v1.31.12-kubeedge-v1.22.2`. */
const isOfKubeEdge = ({ status }: Node): boolean => status?.nodeInfo?.kubeletVersion?.includes('-kubeedge-') === true;

export function createPodLogs({ pod: readPod, node: readNode, kubelets }: PodLogDeps): ServeText {
  return async ({ namespace = '', name }: ObjectTarget, request, answer, call) => {
    const pod = readPod(namespace, name);
    const container = chooseContainer(pod, request.query.get('container') || undefined);
    const nodeName = pod.spec?.nodeName;
    // Not on a node yet: there is nothing to show, and that is no error.
    if (!nodeName) return answer.plain(200, '');
    const query = new URLSearchParams(passedOn.flatMap((key) => pairOf(request.query, key)));
    const path = [namespace, name, container].map(encodeURIComponent).join('/');
    const node = readNode(nodeName);
    const asked = node && kubelets.get(node, `/containerLogs/${path}?${query}`, call.signal);
    if (!asked) throw fail('ServiceUnavailable', `node "${nodeName}" does not say where its kubelet listens`);
    const found = await asked.catch((error: unknown) => {
      call.signal.throwIfAborted();
      const how = httpErrors.UNTRUSTED_SERVER.is(error) ? 'is not trusted' : 'cannot be reached';
      const why = `the kubelet of node "${nodeName}" ${how}: ${messageOf(error)}`;
      throw fail('ServiceUnavailable', `${why}${isOfKubeEdge(node) ? `; ${needsCloudStream}` : ''}`);
    });
    if (found.status !== 200) {
      const say = (await found.text(longestRefusal)).trim();
      const reason = found.status === 400 || found.status === 404 ? 'BadRequest' : 'InternalError';
      throw fail(reason, say || `the kubelet of node "${nodeName}" answered with HTTP ${found.status}`);
    }
    await answer.chunks('text/plain; charset=utf-8', found.chunks());
  };
}

function chooseContainer({ metadata, spec }: Pod, asked: string | undefined): string {
  const mains = (spec?.containers ?? []).map(({ name }) => name);
  const inits = (spec?.initContainers ?? []).map(({ name }) => name);
  const ephemeral = (spec?.ephemeralContainers ?? []).map(({ name }) => name);
  const all = [...inits, ...mains, ...ephemeral];
  if (asked !== undefined) {
    if (all.includes(asked)) return asked;
    throw fail('BadRequest', `container ${asked} is not valid for pod ${metadata.name}`);
  }
  const annotated = metadata.annotations?.[defaultContainer];
  if (annotated !== undefined && all.includes(annotated)) return annotated;
  const [only] = mains;
  if (only !== undefined && mains.length === 1) return only;
  const others = inits.length > 0 ? ` or one of the init containers: [${inits.join(' ')}]` : '';
  throw fail(
    'BadRequest',
    `a container name must be specified for pod ${metadata.name}, choose one of: [${mains.join(' ')}]${others}`,
  );
}

const pairOf = (query: URLSearchParams, key: string): [string, string][] => {
  const value = query.get(key);
  return value === null ? [] : [[key, value]];
};
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

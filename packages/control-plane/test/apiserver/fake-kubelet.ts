// A kubelet for tests: answers over HTTPS with a certificate of a node, and asks for one of the API server's CA.
import { silentLog } from '@kedge/core/log';
import type { Authority, HttpHandler, Listening } from '@kedge/core/ports';
import { days, minus, plus } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import { createHttpServers, systemClock } from '@kedge/platform/node';

export interface FakeKubelet extends Listening {
  /** What its node says about it. */
  readonly endpoint: Pick<KubeObject, 'addresses' | 'daemonEndpoints'>;
}

export async function startKubelet(options: {
  /** Whose certificate it shows. */
  readonly node: string;
  readonly authority: Authority;
  /** Who callers have a certificate of. */
  readonly callers: Authority;
  readonly handler: HttpHandler;
}): Promise<FakeKubelet> {
  const now = systemClock.now();
  const { certificatePem, key } = await options.authority.issueWithKey({
    subject: { commonName: `system:node:${options.node}`, organizations: ['system:nodes'] },
    usages: ['serverAuth', 'clientAuth'],
    notBefore: minus(now, days(1)),
    notAfter: plus(now, days(1)),
  });
  const listening = await createHttpServers({ log: silentLog }).listen({
    address: '127.0.0.1',
    port: 0,
    tls: {
      certificate: certificatePem,
      key: key.reveal(),
      clientCa: options.callers.certificatePem,
      clientAuth: 'require',
    },
    handler: options.handler,
  });
  return {
    ...listening,
    endpoint: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: listening.port } },
    },
  };
}

// The short screen that `kedge up` ends with: what is up, where the kubeconfig is, and what to try.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { SiteLayout } from './layout.ts';

const tryDevices = `    kubectl get devices
    kubectl describe device thermostat
`;

export async function readScreen(
  api: KubeApi,
  server: string,
  layout: SiteLayout,
  node: string,
  withDevices: boolean,
): Promise<string> {
  const version = JSON.parse((await api.raw('/version')).body) as { gitVersion?: string };
  const { items } = await api.list({ group: '', version: 'v1', resource: 'pods' });
  const running = items.filter((pod) => (pod['status'] as { phase?: string } | undefined)?.phase === 'Running').length;
  return `
  The site is up.

    Kubernetes API   ${server}  (${version.gitVersion ?? 'unknown version'})
    edge node        ${node}, Ready
    pods             ${running} running
    kubeconfig       ${layout.kubeconfig}
    logs             ${layout.logs}

  Try:

    export KUBECONFIG=${layout.kubeconfig}
    kubectl get nodes,pods -o wide
    kubectl scale deployment hello --replicas=3
${withDevices ? tryDevices : ''}
  Ctrl-C stops the site; "npm start" brings it back with its state.

`;
}

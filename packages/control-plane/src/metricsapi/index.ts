// What nodes and pods use now (metrics.k8s.io), for `kubectl top` and for autoscaling: scraped from the kubelets while
// somebody wants to know, never kept.
//
//     const metrics = createMetricsApi({ clock, log, kubelets, informers });
//     server.mount(metrics);
//     await host.start([server.module, informers, metrics.module], signal);
export { createMetricsApi } from './metrics-api.ts';
export type { MetricsApi, MetricsApiOptions } from './metrics-api.ts';
export { metricsErrors } from './metrics-errors.ts';

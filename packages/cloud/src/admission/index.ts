// Admission: the webhooks of devices, models, rules, endpoints and upgrade jobs, and of pods that stay on a lost node.
//
//     const admission = createAdmission({ clock, log, kube, servers, tls, caPem, clientCa, also }, config);
//     host.start([..., identity, admission]);        // registers itself, and keeps itself registered
export { createAdmission } from './admission.ts';
export type { Admission, AdmissionConfig, AdmissionDeps } from './admission.ts';
export type { WebhookPlace } from './webhook-configurations.ts';

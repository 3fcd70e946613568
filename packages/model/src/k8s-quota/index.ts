// What objects use of a ResourceQuota, for whoever admits them and whoever counts them.
//
//     if (quotaCovers(quota, resource, pod)) for (const [name, amount] of quotaUsage(resource, pod)) …
export { formatUsage, quotaCovers, quotaUsage, unspecified } from './quota-usage.ts';
export type { Usage } from './quota-usage.ts';

// CSRApprover: serving certificates of MetaServers, approved without a person.
//
//     host.start([createCsrApprover({ clock, log, kube, requests, authorities })]);
export { createCsrApprover } from './csr-approver.ts';
export type { CsrApproverDeps } from './csr-approver.ts';
export { isDecided, judgeRequest, servingSigner } from './judge-request.ts';
export type { Judgement, RequestFacts } from './judge-request.ts';

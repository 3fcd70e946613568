// What node-opcua-server asks of a store of certificates, in memory and with one answer for all of them. The library's own
// stores are folders with a watcher on each.
import type { StatusCode } from 'node-opcua-client';
import type { OPCUAServerOptions } from 'node-opcua-server';

export type CertificateStore = NonNullable<OPCUAServerOptions['serverCertificateManager']>;

export function certificateStore(verdict: StatusCode): CertificateStore {
  const check = async (_: unknown, callback?: (error: null, status: StatusCode) => void) => {
    callback?.(null, verdict);
    return verdict;
  };
  const nothing = async (): Promise<undefined> => undefined;
  return {
    referenceCounter: 0,
    initialize: nothing,
    dispose: nothing,
    checkCertificate: check,
    getTrustStatus: check,
    verifyCertificate: async () => 'Good',
    trustCertificate: nothing,
    rejectCertificate: nothing,
    addIssuer: nothing,
    addRevocationList: nothing,
  } as unknown as CertificateStore;
}

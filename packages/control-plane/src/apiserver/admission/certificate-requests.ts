// A certificate request says who asked: the server writes that down, the client cannot.
import type { AdmissionStep } from './admission.ts';

export const certificateRequestUser: AdmissionStep = {
  name: 'CertificateRequestUser',
  admit({ operation, kind, object, user }) {
    if (operation !== 'create' || kind.collection !== 'certificatesigningrequests.certificates.k8s.io' || !object)
      return;
    object['spec'] = {
      ...(object['spec'] as object | undefined),
      username: user.name,
      groups: user.groups,
      ...(user.uid ? { uid: user.uid } : {}),
      ...(user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
    };
  },
};

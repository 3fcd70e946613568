// Reads PKCS#10 requests from strangers, and checks that the sender has the private key.
import * as x509 from '@peculiar/x509';
import { keysErrors, type ReadRequest } from '@kedge/core/ports';

export async function readRequest(der: Uint8Array): Promise<ReadRequest> {
  try {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(der));
    if (!(await request.verify())) throw new Error('the signature does not fit the public key');
    const [commonName = '', ...more] = request.subjectName.getField('CN');
    if (more.length > 0) throw new Error('it has more than one common name');
    const alternative = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
    const names = alternative?.names.items ?? [];
    const valuesOf = (type: x509.GeneralNameType) =>
      names.filter((name) => name.type === type).map((name) => name.value);
    return {
      subject: { commonName, organizations: request.subjectName.getField('O') },
      dnsNames: valuesOf('dns'),
      addresses: valuesOf('ip'),
      publicKey: new Uint8Array(request.publicKey.rawData),
    };
  } catch (error) {
    throw keysErrors.BAD_REQUEST({ reason: error instanceof Error ? error.message : String(error) }, error);
  }
}

// Writes a PKCS#10 certificate request (RFC 2986) for a P-256 key: the edge needs no more of X.509 than this.
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import type { Subject } from '@kedge/core/ports';
import { bitString, objectId, sequence, setOf, smallInteger, tagged, utf8 } from './der.ts';

const ecdsaWithSha256 = '1.2.840.10045.4.3.2';
const commonName = '2.5.4.3';
const organization = '2.5.4.10';

export function writeRequest(key: KeyObject, subject: Subject): Uint8Array {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const version = smallInteger(0);
  const noAttributes = tagged(0);
  const info = sequence(version, writeName(subject), publicKey, noAttributes);
  return sequence(info, sequence(objectId(ecdsaWithSha256)), bitString(sign('sha256', info, key)));
}

function writeName({ commonName: name, organizations }: Subject): Uint8Array {
  const part = (type: string, value: string) => setOf(sequence(objectId(type), utf8(value)));
  return sequence(...organizations.map((value) => part(organization, value)), part(commonName, name));
}

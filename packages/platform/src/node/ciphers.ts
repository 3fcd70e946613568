// The Ciphers port on node:crypto.
import { type CipherGCMTypes, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Ciphers } from '@kedge/core/ports';

const nonceBytes = 12;
const tagBytes = 16;
const ivBytes = 16;

const gcm = (key: Uint8Array): CipherGCMTypes => `aes-${key.length * 8}-gcm` as CipherGCMTypes;
const cbc = (key: Uint8Array): string => `aes-${key.length * 8}-cbc`;

export function createCiphers(): Ciphers {
  return {
    sealGcm(key, plain, about) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(gcm(key), key, nonce);
      cipher.setAAD(about);
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    openGcm(key, sealed, about) {
      if (sealed.length < nonceBytes + tagBytes) return undefined;
      const decipher = createDecipheriv(gcm(key), key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
      decipher.setAAD(about);
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
      try {
        return Buffer.concat([
          decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes)),
          decipher.final(),
        ]);
      } catch {
        return undefined;
      }
    },
    sealCbc(key, plain) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(cbc(key), key, iv);
      return Buffer.concat([iv, cipher.update(plain), cipher.final()]);
    },
    openCbc(key, sealed) {
      if (sealed.length < 2 * ivBytes) return undefined;
      const decipher = createDecipheriv(cbc(key), key, sealed.subarray(0, ivBytes));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(ivBytes)), decipher.final()]);
      } catch {
        return undefined;
      }
    },
  };
}

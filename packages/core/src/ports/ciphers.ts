// Symmetric encryption as a port, for what is encrypted on disk. Keys are raw bytes; what comes out begins with its
// nonce. Small enough to be asked for every row.

export interface Ciphers {
  /** AES-GCM with a fresh 12-byte nonce; `about` is bound to the result but not part of it. Keys of 16, 24 or 32 bytes. */
  sealGcm(key: Uint8Array, plain: Uint8Array, about: Uint8Array): Uint8Array;
  /** Undefined when it was not made with this key and `about`, or was changed since. */
  openGcm(key: Uint8Array, sealed: Uint8Array, about: Uint8Array): Uint8Array | undefined;
  /** AES-CBC with PKCS#7 padding and a fresh 16-byte IV. It hides, but does not notice changes. */
  sealCbc(key: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Undefined when the padding does not come out right. */
  openCbc(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
}

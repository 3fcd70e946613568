// Versioned objects and watch over a Database: the embedded API's storage, in the manner of etcd.
//
//     const store = createApiStore({ database, clock, keepFor: minutes(5), keepEvents: 10_000, recentBytes: 4 << 20 });
//     const made = await store.write({ resource: 'pods', namespace: 'default', name: 'web-0' }, 0, (revision) => text(revision));
//     const watcher = store.watch({ resource: 'pods' }, store.revision);
export { createApiStore } from './api-store.ts';
export type { ApiStore, ApiStoreDeps } from './api-store.ts';
export { attachToBackup, readAttachment, readBackup, sealBackup, unsealBackup } from './backup.ts';
export type { BackupFile, BackupInfo } from './backup.ts';
export { encryptedBodies } from './body-codec.ts';
export type { BodyCodec } from './body-codec.ts';
export { readEncryptionConfig } from './encryption-config.ts';
export { apiStoreMigrations } from './schema.ts';
export { apiStoreErrors } from './store-errors.ts';
export type { ListPageRequest, ObjectKey, Range, Stored, StoreEvent, WriteOutcome } from './stored.ts';
export type { Watcher } from './watcher.ts';

// cloudcore.yaml and edgecore.yaml: what may stand in them, and what it means.
//
//     const { config, warnings } = readEdgeCoreConfig({ file: { path, content: parse(text) }, environment }, facts);
export { readCredentialProviders } from './credential-providers.ts';
export type { CloudCoreConfig } from './cloud-core-config.ts';
export { cloudCoreApiVersion, cloudCoreSchema } from './cloud-core-schema.ts';
export type { CloudCoreDocument } from './cloud-core-schema.ts';
export type { EdgeCoreConfig, EdgedSettings, EventBusSettings } from './edge-core-config.ts';
export { edgeCoreApiVersion, edgeCoreSchema } from './edge-core-schema.ts';
export type { EdgeCoreDocument } from './edge-core-schema.ts';
export {
  checkCloudCore,
  cloudCoreDefaults,
  readCloudCoreConfig,
  writeCloudCoreDefaults,
  writeCloudCoreMinimum,
} from './read-cloud-core.ts';
export {
  checkEdgeCore,
  edgeCoreDefaults,
  readEdgeCoreConfig,
  writeEdgeCoreDefaults,
  writeEdgeCoreMinimum,
} from './read-edge-core.ts';

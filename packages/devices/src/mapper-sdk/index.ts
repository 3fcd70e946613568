// What every mapper shares. A protocol is a driver; `defineMapper` gives it its types, `createMapper` makes it a module:
//
//     export const thermometer = defineMapper({
//       name: 'thermometer-mapper', protocol: 'thermometer', version: '1.0.0',
//       protocolConfig: object({ path: required(text('')) }),
//       visitorConfig: object({ line: integer(0) }),
//       open: async ({ path }, { signal }) => ({ read: ..., close: ... }),
//     });
//     await host.start([createMapper(thermometer, deps, { socketPath, edgecoreSocket })], signal);
export { createMapper } from './mapper.ts';
export type { Mapper, MapperConfig, MapperDeps } from './mapper.ts';
export { defineMapper, required } from './driver.ts';
export type { Connection, DriverContext, FoundDevice, MapperDriver, Point, RawValue, Reading } from './driver.ts';
export { objectName, propertyName } from './found-names.ts';
export type { PushDeps } from './push/index.ts';
export { proposeDevice } from './propose-device.ts';
export type { Proposal, ProposalPlace } from './propose-device.ts';
export { readConfig } from './read-config.ts';
export type { KeepSamples } from './report-queue.ts';
export { sampleMigrations, SampleStore } from './sample-store.ts';
export { parseHosts, parseNumbers } from './search-ranges.ts';
export { fault, mapperErrors, refused } from './sdk-errors.ts';
export { SharedConnections } from './shared-connections.ts';
export type { SharedConnection, Taken } from './shared-connections.ts';
export { choice, decimal, flag, integer, object, optional, text } from '@kedge/core/config';

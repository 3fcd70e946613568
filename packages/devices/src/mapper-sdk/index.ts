// What every mapper shares. A protocol is a driver; `defineMapper` gives it its types:
//
//     export const thermometer = defineMapper({
//       name: 'thermometer-mapper', protocol: 'thermometer', version: '1.0.0',
//       protocolConfig: object({ path: required(text('')) }),
//       visitorConfig: object({ line: integer(0) }),
//       open: async ({ path }, { signal }) => ({ read: ..., close: ... }),
//     });
export { defineMapper, required } from './driver.ts';
export type { Connection, DriverContext, FoundDevice, MapperDriver, Point, RawValue, Reading } from './driver.ts';
export { mapperErrors, refused } from './sdk-errors.ts';
export { choice, decimal, flag, integer, object, optional, text } from '@kedge/core/config';

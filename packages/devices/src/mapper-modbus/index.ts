// Modbus over TCP and serial lines.
export { createModbusMapper } from './driver.ts';
export type { ModbusDeps } from './driver.ts';

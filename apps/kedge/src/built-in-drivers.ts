// The drivers that kedge brings, by protocol. Each is loaded when it is asked for: the stack of one is as large as all the rest.
import { join } from 'node:path';
import type { MapperDriver } from '@kedge/devices/mapper-sdk';
import { loadDriver } from './load-driver.ts';

export type AnyDriver = MapperDriver<unknown, unknown>;
/** `dataDirectory` is for what has to last. */
type MakeDriver = (dataDirectory: string) => AnyDriver;

export const builtInDrivers: Readonly<Record<string, () => Promise<MakeDriver>>> = {
  async modbus() {
    const { createModbusMapper } = await import('@kedge/devices/mapper-modbus');
    return () => createModbusMapper({ load: loadDriver }) as AnyDriver;
  },
  async mqtt() {
    const { createMqttMapper } = await import('@kedge/devices/mapper-mqtt');
    return () =>
      createMqttMapper({ mqtt: async () => (await import('@kedge/platform/mqtt')).createMqtt() }) as AnyDriver;
  },
  async opcua() {
    const { createOpcuaMapper } = await import('@kedge/devices/mapper-opcua');
    return (data) => createOpcuaMapper({ directory: join(data, 'opcua') }) as AnyDriver;
  },
  async virtual() {
    const { virtualMapper } = await import('@kedge/devices/mapper-virtual');
    return () => virtualMapper as AnyDriver;
  },
};

// A Modbus device for measurements, as a process of its own: 10,000 registers over TCP. Says its port, and how often it was asked
// whenever it gets a message.
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { ServerTCP } from 'modbus-serial';

const modbus = createRequire(import.meta.url)('modbus-serial') as { ServerTCP: typeof ServerTCP };
let requests = 0;
const server = new modbus.ServerTCP(
  {
    getHoldingRegister: (address: number) => ((requests += 1), address),
    getMultipleHoldingRegisters: (address: number, count: number) => {
      requests += 1;
      return Array.from({ length: count }, (_, n) => address + n);
    },
  },
  { host: '127.0.0.1', port: 0 },
);
server.on('initialized', () => {
  const { port } = (server as unknown as { _server: { address(): AddressInfo } })._server.address();
  process.send!({ port });
});
process.on('message', () => process.send!({ requests }));
process.on('disconnect', () => process.exit());

// One connection to an address or a serial port, whoever stands behind it: one request at a time, each with its time limit.
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { connect } from 'node:net';
import { KeyedMutex, orAbort } from '@kedge/core/flow';
import { type Clock, type Duration, milliseconds, seconds, withTimeout } from '@kedge/core/time';
import { fault, type SharedConnection, SharedConnections, type Taken } from '../mapper-sdk/index.ts';
import type { Table } from './fields.ts';
import type { Line } from './settings.ts';

/** What is used of modbus-serial's client. */
export interface ModbusClient {
  linkTCP(socket: unknown, options: object): Promise<void>;
  connectRTUBuffered(path: string, options: object): Promise<void>;
  setID(unit: number): void;
  setTimeout(milliseconds: number): void;
  readDeviceIdentification(code: number, object: number): Promise<{ data: Readonly<Record<string, string>> }>;
  readCoils(address: number, count: number): Promise<{ buffer: Uint8Array }>;
  readDiscreteInputs(address: number, count: number): Promise<{ buffer: Uint8Array }>;
  readHoldingRegisters(address: number, count: number): Promise<{ buffer: Uint8Array }>;
  readInputRegisters(address: number, count: number): Promise<{ buffer: Uint8Array }>;
  writeCoil(address: number, value: boolean): Promise<unknown>;
  writeCoils(address: number, values: readonly boolean[]): Promise<unknown>;
  writeRegister(address: number, value: number): Promise<unknown>;
  writeRegisters(address: number, values: readonly number[]): Promise<unknown>;
  maskWriteRegister(address: number, and: number, or: number): Promise<unknown>;
  destroy(callback: () => void): void;
  close(callback: () => void): void;
  on(event: 'close' | 'error', listener: (error?: unknown) => void): unknown;
}

export type Outcome<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'exception'; readonly code: number }
  | { readonly kind: 'silent' }
  | { readonly kind: 'garbled'; readonly why: string };

/** So often in a row without an answer, a TCP connection is taken for dead. */
const silences = 3;
/** After a silence on a serial line: what comes late must not be taken for the next answer. */
const quiet = milliseconds(100);
const portCheck = seconds(2);

export class OpenLine implements SharedConnection {
  readonly lost: Promise<Error>;
  readonly #client: ModbusClient;
  readonly #clock: Clock;
  readonly #kind: Line['kind'];
  readonly #turns = new KeyedMutex();
  readonly #fail: (error: Error) => void;
  #silent = 0;
  #over: Error | undefined;

  constructor(client: ModbusClient, kind: Line['kind'], clock: Clock) {
    this.#client = client;
    this.#kind = kind;
    this.#clock = clock;
    let settle: (error: Error) => void = () => undefined;
    this.lost = new Promise((resolve) => (settle = resolve));
    this.#fail = (error) => {
      if (this.#over) return;
      this.#over = error;
      settle(error);
      if (kind === 'tcp') client.destroy(() => undefined);
      else client.close(() => undefined);
    };
  }

  /** Says that the connection is no more; what waits for answers ends. */
  end(error: Error): void {
    this.#fail(error);
  }

  /** Waits for its turn, at most `patience`, and then for the answer, at most `timeout`. Rejects when the line is lost. */
  async request<T>(
    unit: number,
    { timeout, patience, signal }: { timeout: Duration; patience: Duration; signal: AbortSignal },
    ask: (client: ModbusClient) => Promise<T>,
  ): Promise<Outcome<T>> {
    const turn = new Promise<() => void>((got) => {
      void this.#turns.run('line', () => new Promise<void>((release) => got(release)));
    });
    let release: () => void;
    try {
      const inTime = withTimeout(this.#clock, 'a turn on the line', patience, turn, () =>
        fault('LineBusy', 'other devices on the line took all the time'),
      );
      release = await orAbort(inTime, signal);
    } catch (error) {
      void turn.then((free) => free());
      throw error;
    }
    // Whoever stops waiting leaves the line busy until the answer is there: the next one must not get it.
    return orAbort(this.#ask(unit, timeout, ask).finally(release), signal);
  }

  async #ask<T>(unit: number, timeout: Duration, ask: (client: ModbusClient) => Promise<T>): Promise<Outcome<T>> {
    if (this.#over) throw this.#over;
    this.#client.setID(unit);
    this.#client.setTimeout(timeout);
    try {
      const value = await Promise.race([ask(this.#client), this.lost.then((error) => Promise.reject(error))]);
      this.#silent = 0;
      return { kind: 'answer', value };
    } catch (error) {
      if (this.#over) throw this.#over;
      const { modbusCode, errno, message } = error as { modbusCode?: number; errno?: unknown; message?: string };
      if (modbusCode !== undefined) {
        this.#silent = 0;
        return { kind: 'exception', code: modbusCode };
      }
      if (errno !== 'ETIMEDOUT') return { kind: 'garbled', why: message ?? String(error) };
      this.#silent += 1;
      if (this.#kind === 'rtu') await this.#clock.sleep('a serial line to fall quiet', quiet);
      else if (this.#silent >= silences) this.#fail(fault('Timeout', `${silences} requests in a row had no answer`));
      return { kind: 'silent' };
    }
  }

  async read(
    unit: number,
    limits: { timeout: Duration; patience: Duration; signal: AbortSignal },
    { table, address, count }: { readonly table: Table; readonly address: number; readonly count: number },
  ): Promise<Outcome<Uint8Array>> {
    const outcome = await this.request(unit, limits, (client) => {
      switch (table) {
        case 'coil':
          return client.readCoils(address, count);
        case 'discrete':
          return client.readDiscreteInputs(address, count);
        case 'holding':
          return client.readHoldingRegisters(address, count);
        case 'input':
          return client.readInputRegisters(address, count);
      }
    });
    return outcome.kind === 'answer' ? { kind: 'answer', value: outcome.value.buffer } : outcome;
  }
}

/** An adapter that is pulled out takes its port with it; the library does not always hear of that. */
async function watchPort(path: string, line: OpenLine, clock: Clock): Promise<void> {
  const over = new AbortController();
  void line.lost.then((error) => over.abort(error));
  while (!over.signal.aborted) {
    try {
      await clock.sleep('a look at the serial port', portCheck, over.signal);
      await access(path);
    } catch (error) {
      line.end(fault('ConnectionLost', `${path} is gone`, error));
    }
  }
}

/** Lines by address: devices behind the same one share it. */
export class Lines {
  readonly #newClient: () => Promise<ModbusClient>;
  readonly #open = new SharedConnections<OpenLine>();
  /** How each serial port is set, by path. */
  readonly #set = new Map<string, { settings: string; users: number }>();

  constructor(newClient: () => Promise<ModbusClient>) {
    this.#newClient = newClient;
  }

  async take(line: Line, clock: Clock, signal: AbortSignal): Promise<Taken<OpenLine>> {
    const key = line.kind === 'tcp' ? `${line.host}:${line.port}` : line.path;
    const settings = JSON.stringify(line);
    const set = this.#set.get(key) ?? { settings, users: 0 };
    if (set.settings !== settings) {
      throw fault('BadConfiguration', `${key} is in use by a device with other baud rate, bits or parity`);
    }
    this.#set.set(key, set);
    set.users += 1;
    const leave = (): void => {
      set.users -= 1;
      if (set.users === 0) this.#set.delete(key);
    };
    try {
      const taken = await this.#open.take(key, (stop) => this.#connect(line, clock, stop), signal);
      let left = false;
      const release = (): void => {
        if (!left) leave();
        left = true;
        taken.release();
      };
      return { connection: taken.connection, release };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #connect(line: Line, clock: Clock, signal: AbortSignal): Promise<OpenLine> {
    const client = await this.#newClient();
    client.on('error', () => undefined);
    if (line.kind === 'rtu') {
      const { path, baudRate, dataBits, stopBits, parity } = line;
      await client.connectRTUBuffered(path, { baudRate, dataBits, stopBits, parity });
      const open = new OpenLine(client, 'rtu', clock);
      client.on('close', () => open.end(fault('ConnectionLost', `${path} was closed`)));
      client.on('error', (error) => open.end(fault('ConnectionLost', `${path} failed`, error)));
      void watchPort(path, open, clock);
      return open;
    }
    // The socket is ours: the library's own says nothing of a connection that was reset.
    const socket = connect({ host: line.host, port: line.port, signal, noDelay: true, keepAlive: true });
    socket.on('error', () => undefined);
    await once(socket, 'connect', { signal });
    await client.linkTCP(socket, {});
    const open = new OpenLine(client, 'tcp', clock);
    socket.once('close', () => open.end(fault('ConnectionLost', 'the device hung up')));
    if (socket.destroyed) open.end(fault('ConnectionLost', 'the device hung up'));
    return open;
  }
}

// Stands where systemd-logind expects systemd on a bus: takes the order to start `poweroff.target` and does nothing with it.
import { connect, type Socket } from 'node:net';
import { type Argument, decodeMessage, encodeMessage, type Message, messageTypes } from './dbus-messages.ts';

export interface StandInSystemd {
  /** Units that were to be started, in order. */
  readonly started: readonly string[];
  /** Says that the latest of these starts came to its end: logind takes a shutdown for called off then. */
  finish(): void;
  close(): void;
}

const name = 'org.freedesktop.systemd1';
const manager = { path: '/org/freedesktop/systemd1', interface: `${name}.Manager` };
const job = `${manager.path}/job/7`;

/** `reload`: logind is to read its configuration again. */
export async function standInForSystemd(
  busSocket: string,
  { onStart, reload }: { onStart: (unit: string) => void; reload: () => void },
): Promise<StandInSystemd> {
  const started: string[] = [];
  let serial = 0;
  const socket = await openBus(busSocket);
  const send = (message: Omit<Parameters<typeof encodeMessage>[0], 'serial'>): void =>
    void socket.write(encodeMessage({ ...message, serial: ++serial }));

  function answer({ member, texts }: Message): readonly Argument[] {
    if (member === 'Get') return [{ v: 'loaded' }];
    if (member === 'KillUnit' && texts[0] === 'systemd-logind.service') reload();
    if (member !== 'StartUnit') return [];
    started.push(texts[0]!);
    onStart(texts[0]!);
    return [{ o: job }];
  }

  let rest: Buffer = Buffer.alloc(0);
  const named = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let found = decodeMessage(rest); found; found = decodeMessage(rest)) {
        rest = rest.subarray(found.length);
        const { message } = found;
        // The second thing asked was the name.
        if (message.type === messageTypes.reply && message.replyTo === 2) resolve();
        if (message.type !== messageTypes.call) continue;
        const to = message.sender === undefined ? {} : { destination: message.sender };
        send({ type: messageTypes.reply, replyTo: message.serial, ...to, body: answer(message) });
      }
    });
  });
  const bus = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' };
  send({ type: messageTypes.call, ...bus, member: 'Hello' });
  send({ type: messageTypes.call, ...bus, member: 'RequestName', body: [{ s: name }, { u: 0 }] });
  await named;
  return {
    started,
    finish() {
      const body = [{ u: 7 }, { o: job }, { s: started.at(-1) ?? '' }, { s: 'canceled' }];
      send({ type: messageTypes.signal, ...manager, member: 'JobRemoved', body });
    },
    close: () => void socket.destroy(),
  };
}

async function openBus(path: string): Promise<Socket> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const user = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
  socket.write(`\0AUTH EXTERNAL ${user}\r\n`);
  const said = await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())));
  if (!said.startsWith('OK')) throw new Error(`the bus refuses us: ${said}`);
  socket.write('BEGIN\r\n');
  return socket;
}

// One mapper: keeps it up to date with its devices, and notices when it dies or hangs. Every call has a deadline and every
// mapper a loop of its own, so that none holds up another.
import { explain } from '@kedge/core/errors';
import { createBackoff, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { type Clock, type Duration, milliseconds, seconds } from '@kedge/core/time';
import type { DeviceCondition, DeviceName } from '@kedge/model/messages';
import { type OpenRpcChannel, rpcCodeOf, rpcErrors, rpcMessage } from '@kedge/wire/rpc';
import { openMapper } from './mapper-calls.ts';
import type { Mapper, MapperMemory, MapperRegistry } from './mapper-registry.ts';
import { handedOf, planHandOver, type Step, type Wanted } from './plan-hand-over.ts';
import type { DmiTwins } from './ports.ts';

/** A mapper that answers nothing so often in a row is gone. One that starts opens its socket after it has registered. */
const strikes = 3;

export interface MapperLinkDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly openChannel: OpenRpcChannel;
  readonly registry: MapperRegistry;
  readonly twins: DmiTwins;
  readonly wanted: () => Wanted;
  /** What one call may take. */
  readonly callTimeout: Duration;
  /** A mapper that has said nothing for this long is asked whether it is there. */
  readonly aliveEvery: Duration;
}

export class MapperLink {
  readonly mapper: Mapper;
  readonly #deps: MapperLinkDeps;
  readonly #log: Log;
  readonly #wake = new Wakeup();
  readonly #said = new Map<string, string>();
  readonly #offline: Set<string>;
  #handed: Map<string, string>;
  #failures = 0;
  #heardAt: number;
  #gone = false;
  /** It has answered since it registered. */
  #met = false;
  /** What was said to it may have arrived, or not. */
  #isUnsure: boolean;

  /** `isUnsure`: an earlier edgecore may have said more to it than is on disk. */
  constructor(mapper: Mapper, { handed, offline }: MapperMemory, deps: MapperLinkDeps, isUnsure: boolean) {
    this.mapper = mapper;
    this.#isUnsure = isUnsure;
    this.#handed = new Map(handed);
    this.#offline = new Set(offline);
    this.#deps = deps;
    this.#log = deps.log.child({ name: mapper.name, address: mapper.address });
    // The mapper opens its socket after it has registered: give it a moment.
    this.#heardAt = deps.clock.monotonic();
  }

  get memory(): MapperMemory {
    return { handed: this.#handed, offline: this.#offline };
  }

  /** Something may have to be handed over. */
  wake(): void {
    this.#wake.wake();
  }

  /** The mapper has reported something about a device: it lives, and so does the device. */
  heard(name: DeviceName): boolean {
    this.#heardAt = this.#deps.clock.monotonic();
    if (this.#gone) this.#wake.wake();
    return this.#offline.delete(`${name.namespace}/${name.name}`);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, aliveEvery } = this.#deps;
    const first = milliseconds(Math.min(1_000, aliveEvery));
    const backoff = createBackoff({ first, max: seconds(30), jitter: 0.2, random });
    while (!signal.aborted) {
      let wait: Duration = this.#deps.aliveEvery;
      try {
        if (await this.#pass(signal)) backoff.reset();
        else wait = backoff.next();
      } catch (error) {
        if (signal.aborted) return;
        wait = backoff.next();
        this.#log.warn('mapper could not be looked after', { err: error, retryInMs: wait });
      }
      await this.#rest(clock, wait, signal);
    }
  }

  async #rest(clock: Clock, wait: Duration, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    await Promise.race([this.#wake.wait(either), clock.sleep(`mapper ${this.mapper.name}`, wait, either)]).catch(
      () => undefined,
    );
    stop.abort(rested);
  }

  /** False: try again soon. */
  async #pass(signal: AbortSignal): Promise<boolean> {
    const wanted = this.#deps.wanted();
    await this.#sayFaults(wanted);
    const steps = planHandOver(wanted, this.#handed, this.#isUnsure);
    const { clock, openChannel, callTimeout, aliveEvery } = this.#deps;
    const silent = clock.monotonic() - this.#heardAt >= aliveEvery || this.#failures > 0 || !this.#met;
    if (steps.length === 0 && !silent) return true;
    const channel = openChannel({ socketPath: this.mapper.address, timeout: callTimeout });
    try {
      if (!(await this.#isAlive(channel, wanted, signal))) return false;
      const carryOut = await openMapper(channel, this.mapper);
      let allTaken = true;
      for (const step of steps) {
        const taken = await this.#carryOut(carryOut, step, signal);
        if (taken === 'unreachable') this.#isUnsure = true;
        if (taken === 'unreachable') return await this.#strike(wanted, 'calls to it are not answered');
        if (taken === 'refused') allTaken = false;
      }
      if (steps.length > 0) await this.#deps.registry.save(this.mapper, this.memory);
      if (allTaken) this.#isUnsure = false;
      return allTaken;
    } finally {
      channel.close();
    }
  }

  /** Any answer will do: mappers that know nothing of health checks say that they do not. */
  async #isAlive(channel: ReturnType<OpenRpcChannel>, wanted: Wanted, signal: AbortSignal): Promise<boolean> {
    try {
      await channel.call('/grpc.health.v1.Health/Check', new Uint8Array(0), { signal });
    } catch (error) {
      if (signal.aborted) throw error;
      if (!rpcErrors.REFUSED.is(error)) return this.#strike(wanted, reasonOf(error), rpcErrors.TIMED_OUT.is(error));
    }
    this.#heardAt = this.#deps.clock.monotonic();
    this.#failures = 0;
    if (this.#gone) this.#log.info('mapper answers again');
    this.#gone = false;
    this.#met = true;
    for (const { name } of wanted.devices.values()) {
      await this.#say(name, {
        type: 'MapperReady',
        status: 'True',
        reason: 'Answers',
        message: `${this.mapper.name} answers`,
      });
    }
    return true;
  }

  async #strike(wanted: Wanted, why: string, hangs = false): Promise<false> {
    this.#failures += 1;
    if (this.#failures < strikes || this.#gone) return false;
    this.#gone = true;
    this.#log.warn('mapper is gone: its devices are offline', { reason: why });
    const message = hangs
      ? `${this.mapper.name} does not answer within ${this.#deps.callTimeout / 1_000} s: look at its log, or restart it`
      : `${this.mapper.name} cannot be reached at ${this.mapper.address}: start it again`;
    for (const { name } of wanted.devices.values()) {
      this.#offline.add(`${name.namespace}/${name.name}`);
      await this.#deps.twins
        .state(name, 'offline')
        .catch((error: unknown) => this.#log.warn('state could not be stored', { device: name.name, err: error }));
      await this.#say(name, {
        type: 'MapperReady',
        status: 'False',
        reason: hangs ? 'MapperHangs' : 'MapperGone',
        message,
      });
    }
    await this.#deps.registry.save(this.mapper, this.memory);
    return false;
  }

  async #carryOut(
    carryOut: Awaited<ReturnType<typeof openMapper>>,
    step: Step,
    signal: AbortSignal,
  ): Promise<'taken' | 'refused' | 'unreachable'> {
    try {
      await carryOut(step, { signal, timeout: this.#deps.callTimeout });
    } catch (error) {
      if (signal.aborted) throw error;
      if (!rpcErrors.REFUSED.is(error)) return 'unreachable';
      // What is to be gone and is not known there, is gone.
      if (!step.do.startsWith('remove')) {
        this.#log.warn('mapper refuses what it was handed', { key: step.key, reason: rpcMessage(error) });
        if (step.do === 'put device') {
          await this.#say(step.name, {
            type: 'Accepted',
            status: 'False',
            reason: 'Refused',
            message: rpcMessage(error),
          });
        }
        return 'refused';
      }
    }
    if (step.do === 'put model' || step.do === 'put device') this.#handed.set(step.key, step.digest);
    else this.#handed.delete(step.key);
    if (step.do === 'put device' && this.#said.has(`${step.key}/Accepted`)) {
      await this.#say(step.name, {
        type: 'Accepted',
        status: 'True',
        reason: 'Accepted',
        message: 'the mapper has the device',
      });
    }
    return 'taken';
  }

  async #sayFaults(wanted: Wanted): Promise<void> {
    const faulty = new Set(wanted.faults.map(({ name }) => `${name.namespace}/${name.name}`));
    for (const { name, reason, message } of wanted.faults) {
      await this.#say(name, { type: 'HandedOver', status: 'False', reason, message });
    }
    for (const { name } of wanted.devices.values()) {
      if (faulty.has(`${name.namespace}/${name.name}`)) continue;
      await this.#say(name, {
        type: 'HandedOver',
        status: 'True',
        reason: 'Complete',
        message: 'model and device fit',
      });
    }
  }

  /** Once for each change. */
  async #say(name: DeviceName, condition: Omit<DeviceCondition, 'since'>): Promise<void> {
    const key = `device/${name.namespace}/${name.name}/${condition.type}`;
    const text = `${condition.status} ${condition.reason} ${condition.message}`;
    if (this.#said.get(key) === text) return;
    try {
      await this.#deps.twins.condition(name, { ...condition, since: this.#deps.clock.now() });
      this.#said.set(key, text);
    } catch (error) {
      this.#log.warn('condition could not be stored', { device: name.name, reason: explain(error) });
    }
  }

  /** The namespace of a device that the mapper has been handed, or is being handed: it may report before it has answered. */
  namespaceOf(name: string): string | undefined {
    for (const key of this.#handed.keys()) {
      const [kind, namespace, its] = key.split('/');
      if (kind === 'device' && its === name) return namespace;
    }
    for (const wanted of this.#deps.wanted().devices.values()) {
      if (wanted.name.name === name) return wanted.name.namespace;
    }
    return undefined;
  }

  /** What goes out with the answer to a registration counts as handed over. */
  handOver(wanted: Wanted): Promise<void> {
    this.#handed = handedOf(wanted);
    return this.#deps.registry.save(this.mapper, this.memory);
  }
}

const rested = new Error('rested');
const reasonOf = (error: unknown): string => rpcCodeOf(error) ?? explain(error);

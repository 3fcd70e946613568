// Asks every ready node's kubelet for its metrics every 15 seconds, but only while somebody wants to know.
import { Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { httpErrors, type HttpResponse } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, minutes, seconds } from '@kedge/core/time';
import type { Node } from '@kedge/model/k8s-types';
import { metricsErrors } from './metrics-errors.ts';
import { parseResourceMetrics } from './resource-metrics.ts';
import { UsageHistory } from './usage-history.ts';

const scrapeEvery = seconds(15);
/** Rates need a second reading: whoever asks first is not made to wait for the next round. */
const firstPause = seconds(2);
/** How long one question keeps the scraping going. */
const interestLasts = minutes(5);
const patience = seconds(4);
/** For two rounds in which some node does not answer. */
const firstPatience = seconds(12);
const parallel = 8;
/** Some hundred containers take 100 kB. */
const maxBody = 4 << 20;

export interface Kubelets {
  /** Asks the kubelet of a node; undefined when the node does not say where that listens. */
  get(node: Node, path: string, signal: AbortSignal): Promise<HttpResponse> | undefined;
}

export interface ScraperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kubelets: Kubelets;
  readonly nodes: () => Iterable<Node>;
}

export class MetricsScraper {
  readonly #deps: ScraperDeps;
  readonly #wanted = new Wakeup();
  readonly #histories = new Map<string, UsageHistory>();
  /** Nodes of which that was said. */
  readonly #untrusted = new Set<string>();
  #wantedUntil: Duration | undefined;
  #rounds = 0;
  /** Settles when the second round since the interest began is over. */
  #warm = Promise.withResolvers<void>();

  constructor(deps: ScraperDeps) {
    this.#deps = deps;
  }

  /** Says that metrics are wanted, and waits until there are some, though not long. */
  async demand(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    this.#wantedUntil = (clock.monotonic() + interestLasts) as Duration;
    this.#wanted.wake();
    if (this.#rounds >= 2) return;
    const stop = new AbortController();
    const give = AbortSignal.any([signal, stop.signal]);
    await Promise.race([this.#warm.promise, clock.sleep('first metrics', firstPatience, give).catch(() => undefined)]);
    stop.abort();
  }

  of(node: string): UsageHistory | undefined {
    return this.#histories.get(node);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      if (!this.#isWanted()) {
        this.#rest();
        await this.#wanted.wait(signal);
        continue;
      }
      const began = clock.monotonic();
      await this.#round(signal);
      this.#rounds += 1;
      if (this.#rounds === 2) this.#warm.resolve();
      const pause = this.#rounds === 1 ? firstPause : scrapeEvery;
      const left = milliseconds(Math.max(1_000, pause - (clock.monotonic() - began)));
      await clock.sleep('next round of metrics', left, signal);
    }
  }

  #isWanted(): boolean {
    return this.#wantedUntil !== undefined && this.#deps.clock.monotonic() < this.#wantedUntil;
  }

  #rest(): void {
    this.#histories.clear();
    if (this.#rounds === 0) return;
    this.#rounds = 0;
    this.#warm.resolve();
    this.#warm = Promise.withResolvers();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const ready = new Map<string, Node>();
    for (const node of this.#deps.nodes()) if (isReady(node)) ready.set(node.metadata.name ?? '', node);
    for (const name of this.#histories.keys()) if (!ready.has(name)) this.#histories.delete(name);
    for (const name of this.#untrusted) if (!ready.has(name)) this.#untrusted.delete(name);
    const waiting = [...ready];
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next && !signal.aborted; next = waiting.pop()) await this.#scrape(...next, signal);
    };
    await Promise.all(Array.from({ length: Math.min(parallel, waiting.length) }, work));
  }

  /** A node that does not answer keeps nobody waiting, and its old readings are not passed off as new. */
  async #scrape(name: string, node: Node, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const stop = new AbortController();
    const asked = this.#ask(node, AbortSignal.any([signal, stop.signal]));
    const inTime = clock.sleep('metrics of a node', patience, AbortSignal.any([signal, stop.signal])).then(() => {
      throw metricsErrors.NO_ANSWER({ node: name, ms: patience });
    });
    inTime.catch(() => undefined);
    asked.catch(() => undefined);
    try {
      const readings = parseResourceMetrics(await Promise.race([asked, inTime]), clock.now());
      let history = this.#histories.get(name);
      if (!history) this.#histories.set(name, (history = new UsageHistory()));
      history.add(readings);
      this.#untrusted.delete(name);
    } catch (error) {
      this.#histories.delete(name);
      if (signal.aborted) return;
      if (!httpErrors.UNTRUSTED_SERVER.is(error)) log.debug('no metrics from a node', { node: name, err: error });
      else if (!this.#untrusted.has(name)) {
        this.#untrusted.add(name);
        log.warn('the kubelet of a node is not trusted', { node: name, err: error });
      }
    } finally {
      stop.abort();
    }
  }

  async #ask(node: Node, signal: AbortSignal): Promise<string> {
    const response = await this.#deps.kubelets.get(node, '/metrics/resource', signal);
    if (!response) throw metricsErrors.NO_ENDPOINT({ node: node.metadata.name ?? '' });
    const text = await response.text(maxBody);
    if (response.status === 200) return text;
    throw metricsErrors.REFUSED({ node: node.metadata.name ?? '', status: response.status });
  }
}

const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;

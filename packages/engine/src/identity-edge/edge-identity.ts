// Who this edge is, towards its cloud: takes the certificate from the files, or asks for one with the join token, and
// renews it in good time. An edge whose cloud is away boots with what it has, expired or not.
import { explain, retryOf } from '@kedge/core/errors';
import { backoffDelay } from '@kedge/core/flow';
import type { Log, Secret } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Files, Random } from '@kedge/core/ports';
import { type Clock, hours, type Instant, instant, milliseconds, minutes, seconds, toTime } from '@kedge/core/time';
import { askCertificate, type BootstrapDeps, fetchCa } from './ask-certificate.ts';
import { edgeIdentityErrors } from './edge-identity-errors.ts';
import { createIdentityFiles, type IdentityPaths, type StoredIdentity } from './identity-files.ts';
import { readJoinToken } from './join-token.ts';

export interface EdgeIdentityConfig {
  readonly node: BootstrapDeps['node'];
  readonly httpServer: string;
  /** Needed only where the files hold no usable certificate. */
  readonly token: Secret<string> | undefined;
  readonly paths: IdentityPaths;
  /** Renew before the certificate ends. */
  readonly rotate: boolean;
  /** This edge has been with its cloud before: then it waits for a certificate or a token, however long, and runs pods. */
  readonly isKnown?: () => boolean;
  /** Told after the first join of an edge that is not known; its certificate is in the files. */
  readonly onJoined?: () => void;
}

export interface EdgeIdentityDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly files: Files;
  readonly keys: BootstrapDeps['keys'];
  readonly openHttpClient: BootstrapDeps['openHttpClient'];
}

export interface EdgeIdentity extends Module {
  /** PEM. Throws EDGE_IDENTITY_NONE_YET before the module is ready. */
  current(): StoredIdentity;
  /** Told after the certificate was replaced. */
  listen(onRenewed: () => void): () => void;
}

/** Upstream's pace: 2 s, doubling, at most 32 s. */
const retryPace = { first: seconds(2), max: seconds(32) } as const;
/** What only an operator can mend need not be said twice a minute. */
const needsPeople = minutes(10);
/** Files that an operator has put back are found soon. */
const lookForFiles = seconds(30);
/** A node may sleep or have its clock set: the end of the certificate is compared with the clock at least so often. */
const lookAgain = hours(1);

export function createEdgeIdentity(deps: EdgeIdentityDeps, config: EdgeIdentityConfig): EdgeIdentity {
  const { clock, random } = deps;
  const { node, httpServer } = config;
  const log = deps.log.child({ module: 'identity' });
  const bootstrap: BootstrapDeps = { keys: deps.keys, openHttpClient: deps.openHttpClient, node, httpServer };
  const files = createIdentityFiles(deps.files, deps.keys, config.paths);
  const listeners = new Set<() => void>();
  let current: StoredIdentity | undefined;

  async function adopt(identity: StoredIdentity): Promise<void> {
    await files.store(identity);
    current = identity;
    for (const listener of listeners) listener();
  }

  async function join(why: string, signal: AbortSignal): Promise<void> {
    if (!config.token) throw edgeIdentityErrors.NO_TOKEN({ node, path: config.paths.certificate, why });
    const token = readJoinToken(config.token.reveal());
    if (token.expires !== undefined && token.expires <= clock.now()) {
      throw edgeIdentityErrors.BAD_TOKEN({ reason: `it expired on ${toTime(token.expires)}` });
    }
    const ca = await fetchCa(bootstrap, token, signal);
    await adopt(await askCertificate(bootstrap, { ca, jwt: token.jwt }, signal));
    log.info('node joined', { node, url: httpServer });
  }

  async function renew(identity: StoredIdentity, signal: AbortSignal): Promise<void> {
    // An expired certificate proves nothing any more; a token might still do.
    if (identity.info.notAfter <= clock.now()) await join('expired', signal);
    else await adopt(await askCertificate(bootstrap, identity, signal));
    log.info('certificate renewed', { node });
  }

  /** Tries until it works; gives up on what waiting cannot cure, unless `forever`. */
  async function persist(
    what: string,
    work: () => Promise<void>,
    forever: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || (!forever && retryOf(error) === 'never')) throw error;
        const wait = retryOf(error) === 'never' ? needsPeople : backoffDelay(attempt, retryPace);
        log.warn('no certificate yet, trying again', {
          task: what,
          attempt: attempt + 1,
          retryInMs: wait,
          reason: explain(error),
        });
        await clock.sleep(what, wait, signal);
      }
    }
  }

  /**
   * Files that were here and are not: whatever may bring them back, pods run on meanwhile. Said once; a join is tried as
   * at the first start, without giving up.
   */
  async function waitForIdentity(why: string, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const joined = persist('join the cloud', () => join(why, until), true, until);
    joined.catch(() => undefined);
    const restored = (async () => {
      for (;;) {
        await clock.sleep('certificate files', lookForFiles, until);
        const loaded = await files.load();
        if (!loaded.ok || whyNotOurs(loaded.identity, node) !== undefined) continue;
        log.info('certificate files are back', { node, path: config.paths.certificate });
        current = loaded.identity;
        return;
      }
    })();
    restored.catch(() => undefined);
    log.error('no certificate: pods run on, and nothing is heard from the cloud until there is one', {
      node,
      path: config.paths.certificate,
      reason: `${why}; put the certificate and its key back, or set a join token`,
    });
    try {
      await Promise.race([joined, restored]);
    } finally {
      stop.abort(new Error('there is a certificate'));
    }
  }

  async function rotate(signal: AbortSignal): Promise<void> {
    for (let isFirst = true; ; isFirst = false) {
      const identity = current!;
      // A certificate of before nodes asked for both usages is changed for one with both; some clouds give no other.
      const isWhole = !isFirst || identity.info.usages.includes('serverAuth');
      const deadline = isWhole ? renewalOf(identity, random.next()) : clock.now();
      log.debug('certificate will be renewed', { node, reason: toTime(deadline) });
      while (clock.now() < deadline) {
        await clock.sleep('certificate renewal', milliseconds(Math.min(lookAgain, deadline - clock.now())), signal);
      }
      await persist('renew the certificate', () => renew(identity, signal), true, signal);
      // A clock that is a year ahead makes every certificate look old; it must not cost the cloud one a second.
      await clock.sleep('certificate to be looked at again', lookAgain, signal);
    }
  }

  return {
    name: 'identity',
    current() {
      if (!current) throw edgeIdentityErrors.NONE_YET(undefined);
      return current;
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async start(scope) {
      const loaded = await files.load();
      const why = loaded.ok ? whyNotOurs(loaded.identity, node) : loaded.why;
      if (loaded.ok && why === undefined) current = loaded.identity;
      else if (config.isKnown?.() !== true) {
        await persist('join the cloud', () => join(why ?? '', scope.signal), false, scope.signal);
        config.onJoined?.();
      } else await waitForIdentity(why ?? '', scope.signal);
      if (config.rotate) {
        scope.spawn('certificate rotation', (signal) =>
          rotate(signal).catch((error: unknown) => {
            if (!signal.aborted) throw error;
          }),
        );
      }
    },
  };
}

const whyNotOurs = ({ info }: StoredIdentity, node: string): string | undefined =>
  info.commonName === `system:node:${node}` ? undefined : `it is for "${info.commonName}", not for node "${node}"`;

/** Somewhere between 70 and 90 % of the lifetime, so that a fleet set up in one day does not renew in one hour. */
function renewalOf({ info: { notBefore, notAfter } }: StoredIdentity, chance: number): Instant {
  return instant(notBefore + (notAfter - notBefore) * (0.7 + 0.2 * chance));
}

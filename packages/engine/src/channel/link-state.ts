// The states of a link as its dialling side sees them, and what each event makes of them. Pure: chance is handed in.
import { backoffDelay } from '@kedge/core/flow';
import { type Duration, seconds } from '@kedge/core/time';

export type LinkState<Session> =
  | { readonly at: 'offline'; readonly attempt: number; readonly retryIn: Duration; readonly why?: Error | undefined }
  | { readonly at: 'dialing'; readonly attempt: number }
  | { readonly at: 'online'; readonly session: Session; readonly since: Duration };

/** Times are monotonic: a clock that is set must not make a short link a long one. */
export type LinkEvent<Session> =
  | { readonly on: 'dial' }
  | { readonly on: 'opened'; readonly session: Session; readonly now: Duration }
  /** `chance` is uniform in [0, 1): it spreads a fleet that lost its cloud at the same moment. */
  | { readonly on: 'lost'; readonly why?: Error | undefined; readonly chance: number; readonly now: Duration };

/** Upstream waits 30 s after a loss. A restart of the cloud should cost seconds, not half a minute. */
export const redialPace = { first: seconds(2), max: seconds(30), jitter: 0.8 } as const;

/** A link that held for less than this was no success, and the waits go on growing. */
const steadyAfter = seconds(30);

export function nextLinkState<Session>(state: LinkState<Session>, event: LinkEvent<Session>): LinkState<Session> {
  switch (event.on) {
    case 'dial':
      return { at: 'dialing', attempt: state.at === 'offline' ? state.attempt + 1 : 1 };
    case 'opened':
      return { at: 'online', session: event.session, since: event.now };
    case 'lost': {
      const attempt = state.at === 'online' ? (event.now - state.since < steadyAfter ? 1 : 0) : state.attempt;
      const retryIn = backoffDelay(attempt, { ...redialPace, random: () => event.chance });
      return { at: 'offline', attempt, retryIn, why: event.why };
    }
  }
}

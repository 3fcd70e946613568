// A network on a FakeClock. Frames of one direction of one connection keep their order, as TCP keeps it; everything else
// overtakes everything else, because each frame takes its own time.
import { httpErrors } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds } from '@kedge/core/time';
import { type Carry, type LinkPair, linkPair } from '../link/index.ts';
import type { Seeded } from './seeded.ts';

export interface SimNetworkOptions {
  readonly clock: Clock;
  readonly random: Seeded;
  readonly delay: { readonly least: Duration; readonly most: Duration };
}

export interface SimNetwork {
  /** A new connection of this site; throws HTTP_CONNECT_FAILED while it is isolated. */
  connect(site: string): LinkPair;
  /** Breaks its connections: what is under way is lost, both ends learn of it. */
  cut(site: string): void;
  /** One end of its connections is dead: what it has sent still arrives, what is sent to it does not. */
  bury(site: string, end: 'edge' | 'cloud'): void;
  /** Its connections carry nothing any more, and nobody is told. */
  mute(site: string): void;
  /** Breaks its connections and makes no new ones, until it is joined again. */
  isolate(site: string): void;
  join(site: string): void;
  /** Frames that arrived, of all connections. */
  readonly carried: number;
}

export function createSimNetwork({ clock, random, delay }: SimNetworkOptions): SimNetwork {
  const open = new Map<string, LinkPair[]>();
  const isolated = new Set<string>();
  let carried = 0;

  /** One direction of one connection. */
  function lane(): Carry {
    let free = 0;
    const under: (() => void)[] = [];
    return (arrive) => {
      const takes = delay.least + random.next() * (delay.most - delay.least);
      free = Math.max(free, clock.monotonic() + takes);
      under.push(arrive);
      void clock.sleep('a frame under way', milliseconds(free - clock.monotonic())).then(() => {
        carried += 1;
        under.shift()!();
      });
    };
  }
  const each = (site: string, what: (link: LinkPair) => void): void => open.get(site)?.forEach(what);
  function cut(site: string): void {
    each(site, (link) => link.cut());
    open.delete(site);
  }

  return {
    get carried() {
      return carried;
    },
    connect(site) {
      if (isolated.has(site)) throw httpErrors.CONNECT_FAILED({ url: site, reason: 'no route to host' });
      const link = linkPair({ toEdge: lane(), toCloud: lane() });
      open.set(site, [...(open.get(site) ?? []), link]);
      return link;
    },
    cut,
    bury(site, end) {
      each(site, (link) => link[end].terminate());
      open.delete(site);
    },
    mute: (site) => each(site, (link) => link.mute()),
    isolate(site) {
      isolated.add(site);
      cut(site);
    },
    join: (site) => void isolated.delete(site),
  };
}

// What edged is handed: the machine, the container runtime, its neighbours and its settings.
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type {
  Cgroups,
  Files,
  Host,
  HostShutdowns,
  HttpServers,
  Mounts,
  ProbeNetwork,
  Processes,
  Random,
  TlsFiles,
} from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { Cri } from '@kedge/wire/cri';
import type { OpenRpcChannel, RpcServers } from '@kedge/wire/rpc';
import type { EdgedConfig } from './config.ts';
import type { Asks, DesiredPods, DesiredStore, Link, Objects, Outbox, Services, Tokens } from './ports.ts';

export interface EdgedDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly config: EdgedConfig;
  readonly cri: Cri;
  readonly files: Files;
  readonly mounts: Mounts;
  readonly cgroups: Cgroups;
  readonly host: Host;
  readonly network: ProbeNetwork;
  readonly pods: DesiredPods;
  readonly store: DesiredStore;
  readonly objects: Objects;
  readonly tokens: Tokens;
  readonly services: Services;
  readonly outbox: Outbox;
  readonly asks: Asks;
  readonly link: Link;
  /** For credential providers. */
  readonly processes?: Processes | undefined;
  /** Loads what hears of the machine's shutdown; called only where the settings ask for it. */
  readonly openShutdowns?: (() => Promise<HostShutdowns>) | undefined;
  /** For device plugins; without it there are none. */
  readonly rpc?: { readonly servers: RpcServers; readonly openChannel: OpenRpcChannel } | undefined;
  /** For the kubelet's endpoints; they are not served without it, nor unless the settings say where. */
  readonly server?: {
    readonly metrics: Pick<Metrics, 'format'>;
    readonly servers: HttpServers;
    /** The certificate that this node shows, and word of a new one. */
    readonly serving: { current(): TlsFiles; listen(onRenewed: () => void): () => void };
  };
}

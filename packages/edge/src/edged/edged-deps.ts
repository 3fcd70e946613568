// What edged is handed: the machine, the container runtime, its neighbours and its settings.
import type { Log } from '@kedge/core/log';
import type { Cgroups, Files, Host, Mounts, ProbeNetwork, Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { Cri } from '@kedge/wire/cri';
import type { EdgedConfig } from './config.ts';
import type { Asks, DesiredPods, DesiredStore, Link, Objects, Outbox, Tokens } from './ports.ts';

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
  readonly outbox: Outbox;
  readonly asks: Asks;
  readonly link: Link;
}

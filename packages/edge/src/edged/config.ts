// Edged's settings in domain types. The composition root makes them from edgecore.yaml.
import type { Duration } from '@kedge/core/time';
import type { NodeName } from '@kedge/model/k8s';
import type { EvictionSettings } from './eviction/thresholds.ts';
import type { ImageGcSettings } from './images/plan-image-gc.ts';
import type { ShutdownSettings } from './node/plan-shutdown.ts';
import type { LogRotationSettings } from './runtime/log-rotation.ts';

export interface EdgedConfig {
  readonly node: NodeName;
  /**
   * Marks what this edge runs on a container runtime that others may use too. Unique among the edges of one runtime; it
   * must not change, or running pods are no longer known as ours.
   */
  readonly site: string;
  /** Pods' volumes, hosts files and termination messages. */
  readonly rootDirectory: string;
  /** Logs of containers, one directory per pod. */
  readonly podLogsDirectory: string;
  /** Parent of all pods' cgroups, such as `/kubepods`. */
  readonly cgroupRoot: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly clusterDomain: string;
  readonly clusterDns: readonly string[];
  /** Where dnsPolicy Default and names outside the cluster are looked up. */
  readonly resolvConf: string;
  /** Sysctls that pods may set though they reach beyond them; `*` at an end is any rest. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** Containers that ask for no seccomp profile get the runtime's own. */
  readonly seccompDefault: boolean;
  /** What the system and edgecore keep for themselves, on top of what eviction keeps free. */
  readonly reserved: { readonly cpuMillis: number; readonly memoryBytes: number; readonly diskBytes: number };
  /** Processes of one pod; negative: as many as there may be. */
  readonly podPidsLimit: number;
  /** Where device plugins register; undefined: nowhere. */
  readonly devicePluginDirectory: string | undefined;
  /** Containers of guaranteed pods get whole processors to themselves; undefined: all share all. */
  readonly cpuManager: { readonly reservedCpus: string | undefined } | undefined;
  /** Pods from files; undefined: none. */
  readonly staticPods: { readonly directory: string; readonly every: Duration } | undefined;
  /** Programs that know how to get at images; undefined: none. */
  readonly credentialProviders:
    | {
        readonly binDirectory: string;
        readonly providers: readonly {
          readonly name: string;
          readonly matchImages: readonly string[];
          readonly cacheFor: Duration;
          readonly args: readonly string[];
          readonly env: Readonly<Record<string, string>>;
        }[];
      }
    | undefined;
  readonly maxPods: number;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly nodeTaints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly registerNode: boolean;
  readonly registerSchedulable: boolean;
  /** The address to report; undefined takes that of the default route. */
  readonly nodeIp: string | undefined;
  readonly statusUpdateEvery: Duration;
  readonly statusReportEvery: Duration;
  readonly leaseDuration: Duration;
  /** `v1.32.0-kedge-v0.1.0`. */
  readonly version: string;
  readonly reportEvents: boolean;
  readonly imagePullParallel: number;
  /** The image that holds pods together. */
  readonly podSandboxImage: string;
  readonly eviction: EvictionSettings;
  readonly imageGc: ImageGcSettings;
  /** Images in the status of the node; negative: all. */
  readonly imagesInStatus: number;
  readonly logRotation: LogRotationSettings;
  /** How pods end when the machine goes down; undefined: nothing is done about it. */
  readonly shutdown: ShutdownSettings | undefined;
  /** Where the kubelet's endpoints are served; undefined: nowhere. */
  readonly server?: { readonly address: string; readonly port: number } | undefined;
}

// edgecore.yaml in our own units, as the parts of edgecore take it.
import type { Secret } from '@kedge/core/log';
import type { Duration } from '@kedge/core/time';
import type { CredentialProvider } from './credential-providers.ts';
import type { EvictionSettings } from './eviction-settings.ts';
import type { ShutdownSettings } from './shutdown-settings.ts';
import type { NodeName } from '../k8s/index.ts';

export interface EdgeCoreConfig {
  readonly node: NodeName;
  readonly database: { readonly path: string };
  readonly identity: {
    readonly node: NodeName;
    readonly httpServer: string;
    /** Needed only where the files hold no usable certificate. */
    readonly token: Secret<string> | undefined;
    readonly paths: { readonly ca: string; readonly certificate: string; readonly key: string };
    readonly rotate: boolean;
  };
  readonly hub: {
    /** `host:port` of CloudHub's WebSocket listener. */
    readonly server: string;
    readonly node: NodeName;
    readonly projectId: string;
    readonly heartbeat: Duration;
    readonly handshakeTimeout: Duration;
    readonly writeTimeout: Duration;
    readonly messagesPerSecond: number;
    readonly messageBurst: number;
  };
  readonly meta: { readonly remoteQueryTimeout: Duration };
  readonly edged: EdgedSettings;
  /** Undefined: no devices. */
  readonly devices: DeviceSettings | undefined;
  /** Undefined: nothing for MQTT clients. */
  readonly eventBus: EventBusSettings | undefined;
  readonly modules: { readonly edgeHub: boolean; readonly edged: boolean; readonly metaManager: boolean };
}

export interface DeviceSettings {
  readonly dmiSocket: string;
  /** Of the local API. */
  readonly apiSocket: string;
  /** Undefined: none is kept. */
  readonly history: { readonly maxAge: Duration; readonly perProperty: number; readonly total: number } | undefined;
}

export interface EventBusSettings {
  readonly node: NodeName;
  /** The external one; undefined: there is none. */
  readonly broker:
    | {
        readonly url: string;
        readonly clientId: string;
        readonly credentials: Credentials | undefined;
        /** Paths. */
        readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string } | undefined;
      }
    | undefined;
  /** The one inside; undefined: there is none. */
  readonly inside: InsideBrokerSettings | undefined;
}

export interface InsideBrokerSettings {
  readonly address: string;
  readonly port: number;
  readonly credentials: Credentials | undefined;
  /** Paths. */
  readonly tls:
    | { readonly certificate: string; readonly key: string; readonly clientCa: string | undefined }
    | undefined;
  /** What the edge publishes is retained. */
  readonly retain: boolean;
  readonly limits: {
    readonly clients: number;
    readonly packetBytes: number;
    readonly subscriptionsPerClient: number;
    readonly queuedPerSession: number;
    readonly queuedBytes: number;
    readonly queuedFor: Duration;
    readonly retained: number;
    readonly retainedBytes: number;
  };
}

interface Credentials {
  readonly username: string;
  readonly password: Secret<string>;
}

export interface EdgedSettings {
  readonly node: NodeName;
  /** Marks what this edge runs on a container runtime that others may use too. */
  readonly site: string;
  /** Path of the CRI socket. */
  readonly runtimeSocket: string;
  /** Path of the CRI image service's socket. */
  readonly imageSocket: string;
  readonly podSandboxImage: string;
  readonly rootDirectory: string;
  readonly podLogsDirectory: string;
  /** Parent of all pods' cgroups, such as `/kubepods`. */
  readonly cgroupRoot: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly clusterDomain: string;
  readonly clusterDns: readonly string[];
  readonly resolvConf: string;
  readonly allowedUnsafeSysctls: readonly string[];
  readonly seccompDefault: boolean;
  readonly reserved: { readonly cpuMillis: number; readonly memoryBytes: number; readonly diskBytes: number };
  readonly podPidsLimit: number;
  readonly devicePluginDirectory: string | undefined;
  readonly cpuManager: { readonly reservedCpus: string | undefined } | undefined;
  readonly staticPods: { readonly directory: string; readonly every: Duration } | undefined;
  /** Where the plugins' configuration is; the starter reads it. */
  readonly credentialProviderFiles: { readonly config: string; readonly binDirectory: string } | undefined;
  readonly credentialProviders:
    | { readonly binDirectory: string; readonly providers: readonly CredentialProvider[] }
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
  readonly reportEvents: boolean;
  readonly imagePullParallel: number;
  readonly eviction: EvictionSettings;
  readonly imageGc: {
    /** Shares of the disk in use. */
    readonly high: number;
    readonly low: number;
    readonly minAge: Duration;
    /** Zero: never. */
    readonly maxAge: Duration;
  };
  /** Images in the status of the node; negative: all. */
  readonly imagesInStatus: number;
  /** How pods end when the machine goes down, the lowest priority first; undefined: nothing is done about it. */
  readonly shutdown: ShutdownSettings | undefined;
  readonly logRotation: { readonly maxBytes: number; readonly maxFiles: number; readonly every: Duration };
  /** Where the kubelet's endpoints are served; undefined: nowhere. */
  readonly server: { readonly address: string; readonly port: number } | undefined;
}

// cloudcore.yaml in our own units, as the parts of cloudcore take it.
import type { Duration } from '@kedge/core/time';

export interface CloudCoreConfig {
  readonly kubeApi: {
    /** A kubeconfig file; without it the service account of the pod we run in counts. */
    readonly kubeconfig: string | undefined;
    /** Instead of the address in the kubeconfig. */
    readonly server: string | undefined;
  };
  /** Metrics and health. */
  readonly monitor: { readonly address: string; readonly port: number };
  readonly identity: {
    readonly advertiseAddress: readonly string[];
    readonly dnsNames: readonly string[];
    readonly edgeCertificateLifetime: Duration;
    readonly tokenRefresh: Duration;
    readonly caFile: string | undefined;
    readonly caKeyFile: string | undefined;
    readonly certificateFile: string | undefined;
    readonly keyFile: string | undefined;
  };
  readonly hub: {
    readonly address: string;
    readonly port: number;
    readonly nodeLimit: number;
    /** A link without a sign of life for this long is over. */
    readonly keepalive: Duration;
    readonly writeTimeout: Duration;
    /** Whether a node is held to what belongs to it; `log` only says what would be refused. */
    readonly authorization: 'on' | 'log' | 'off';
    /** What nodes are told to be served by. */
    readonly ownAddress: string;
  };
  /** Where nodes get their certificates; undefined when switched off. */
  readonly https: { readonly address: string; readonly port: number } | undefined;
  /** DeviceController; undefined when switched off. */
  readonly devices:
    | {
        readonly limits: {
          /** Between two writes of one device's status. */
          readonly perDevice: { readonly interval: Duration; readonly burst: number };
          readonly total: { readonly perSecond: number; readonly burst: number };
          /** Between two writes that change nothing but times. */
          readonly refresh: Duration;
        };
        /** Undefined: none are kept, and edges keep theirs. */
        readonly samples:
          | { readonly path: string; readonly perProperty: number; readonly age: Duration; readonly series: number }
          | undefined;
      }
    | undefined;
  /** The webhooks, and what is read of devices beside the Kubernetes API; undefined when switched off. */
  readonly admission:
    | {
        readonly address: string;
        readonly port: number;
        /** How the Kubernetes API reaches us. */
        readonly place:
          | { readonly by: 'url'; readonly url: string }
          | { readonly by: 'service'; readonly namespace: string; readonly name: string; readonly port: number };
      }
    | undefined;
  readonly modules: { readonly cloudHub: boolean; readonly edgeController: boolean; readonly syncController: boolean };
}

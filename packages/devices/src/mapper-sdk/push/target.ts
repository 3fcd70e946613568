// What a push target is, and what it may use of the world.
import type { HttpClient } from '@kedge/core/ports';

export interface PushDeps {
  readonly http: HttpClient;
  /** Credentials: TOKEN, USERNAME, PASSWORD, as mappers of KubeEdge read them. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Imports a driver that the user has installed (`redis`, `mysql2/promise`, `pg`); rejects with how to install it. */
  readonly load: (name: string) => Promise<unknown>;
}

/** One value on its way to a target. */
export interface PushedSample {
  readonly namespace: string;
  readonly device: string;
  readonly property: string;
  readonly value: string;
  readonly type: string;
  readonly unit: string;
  /** Unix milliseconds. */
  readonly at: number;
}

export interface PushTarget {
  /** Shown in logs and metrics: `influxdb2 http://db:8086`. No secrets. */
  readonly name: string;
  /** For targets that take samples one by one: 1, so that none is sent again because of another. */
  readonly atOnce?: number;
  /**
   * Resolves when the target has all of them. PUSH_REFUSED: it will never take one of them, and they may be tried one by one.
   * After any other error all of them are sent again.
   */
  push(samples: readonly PushedSample[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

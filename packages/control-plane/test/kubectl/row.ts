// What a row of the table in docs/kubernetes-api.md is: a command as users type it, what it gives, and the check that it does.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Where one row runs: a namespace of its own, which kubectl uses unless told otherwise. */
export interface Place {
  readonly namespace: string;
  readonly api: KubeApi;
  /** A new name for what is not in a namespace. */
  readonly unique: string;
  kubectl(args: string, options?: { input?: string; env?: Record<string, string> }): Promise<Ran>;
  /** What the command prints; fails the row when it does not succeed. */
  ok(args: string, input?: string): Promise<string>;
  create(...objects: KubeObject[]): Promise<void>;
  /** Writes a file that commands find by its name. */
  write(name: string, content: string): Promise<void>;
  /** Tries again until `check` no longer throws. */
  eventually(check: () => Promise<void>): Promise<void>;
}

export interface Row {
  /** Without the word kubectl; `~` stands for `Place.unique`. */
  readonly command: string;
  /** For the reader of the table. */
  readonly gives: string;
  /** Prepares what the command works on. */
  readonly given?: (place: Place) => Promise<unknown>;
  readonly input?: string;
  readonly env?: Record<string, string>;
  /** The command is meant to be refused. */
  readonly fails?: boolean;
  /** Patterns that its output (and error output) has to match. */
  readonly shows?: readonly RegExp[];
  /** Further checks of the state it leaves behind. */
  readonly leaves?: (place: Place, ran: Ran) => Promise<unknown>;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

// Everything the generic path has to know about one served kind.
import type { Document, ReadField, ServedResource, TableLayout } from '@kedge/engine/kube-api';
import type { KubeObject } from '@kedge/model/k8s';
import type { KindRules } from '@kedge/model/k8s-kinds';
import type { Schema } from '@kedge/model/k8s-schema';
import type { Strategy } from './strategy.ts';

export interface Kind {
  readonly served: ServedResource;
  /** The collection in the store; two versions of a kind, and both groups that serve events, share one. */
  readonly collection: string;
  readonly apiVersion: string;
  readonly schema: Schema | undefined;
  readonly rules: KindRules;
  readonly strategy: Strategy;
  readonly layout: TableLayout;
  readonly readField: ReadField;
  readonly isCustom: boolean;
  /** To and from the form in the store; absent where that is the served form. */
  readonly conversion?: {
    toStored(object: KubeObject): KubeObject;
    toServed(object: KubeObject): KubeObject;
  };
  /** Conversion by somebody else, of custom resources in several versions. Throws InternalError. */
  readonly webhook?: {
    toStored(object: KubeObject): Promise<KubeObject>;
    /** Documents in any stored version, in this kind's. */
    toServed(documents: readonly Document[]): Promise<readonly Document[]>;
  };
  /** Fields and defaults of the schema as it is now; absent where the store holds what is shown. */
  readonly complete?: (object: KubeObject) => KubeObject;
  /** The schema whose rules in CEL objects have to meet; absent where it has none. */
  readonly ruleSchema?: Schema;
  /** Told to whoever uses this version. */
  readonly warning?: string;
}

export const collectionOf = (group: string, resource: string): string => (group ? `${resource}.${group}` : resource);

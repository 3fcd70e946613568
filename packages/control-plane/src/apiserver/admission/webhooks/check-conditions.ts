// The match conditions of webhooks are compiled when they are written: one that cannot be would refuse everybody's requests.
import { type FieldError, invalidField, invalidObject, type KubeObject } from '@kedge/model/k8s';
import type { MatchCondition } from '@kedge/model/k8s-types';
import type { AdmissionStep } from '../admission.ts';
import type { Expressions } from '../expressions.ts';

const configurations = new Set(
  ['mutating', 'validating'].map((kind) => `${kind}webhookconfigurations.admissionregistration.k8s.io`),
);

interface Hook {
  readonly name?: string;
  readonly matchConditions?: readonly MatchCondition[];
}

export const webhookConditions = (expressions: Pick<Expressions, 'problem'>): AdmissionStep => ({
  name: 'WebhookMatchConditions',
  async validate({ kind, object, before, subresource, name }) {
    if (!configurations.has(kind.collection) || !object || subresource !== undefined) return;
    // What was stored once is not held against a change elsewhere, nor against removal.
    const stored = new Set(hooksOf(before).flatMap(({ matchConditions = [] }) => matchConditions.map(textOf)));
    const errors: FieldError[] = [];
    for (const [at, { matchConditions = [] }] of hooksOf(object).entries()) {
      for (const [index, condition] of matchConditions.entries()) {
        const text = textOf(condition);
        if (!text.trim() || stored.has(text)) continue;
        const why = await expressions.problem(text, ['bool'], { authorizer: true });
        if (why !== undefined)
          errors.push(invalidField(`webhooks[${at}].matchConditions[${index}].expression`, text, why));
      }
    }
    if (errors.length > 0) throw invalidObject(kind.served, name, errors);
  },
});

const hooksOf = (object: KubeObject | undefined): readonly Hook[] =>
  (object?.['webhooks'] as readonly Hook[] | undefined) ?? [];
const textOf = ({ expression }: MatchCondition): string => expression ?? '';

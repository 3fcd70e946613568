// How the kinds of admissionregistration.k8s.io are printed.
import type {
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '@kedge/model/k8s-types';
import { aged, type Column, count, named, selectorText, text } from './cells.ts';

const unset = '<unset>';

export const mutatingColumns: Column<MutatingWebhookConfiguration>[] = named([
  count('Webhooks', ({ webhooks }) => webhooks?.length),
  aged(),
]);

export const validatingColumns: Column<ValidatingWebhookConfiguration>[] = named([
  count('Webhooks', ({ webhooks }) => webhooks?.length),
  aged(),
]);

export const policyColumns: Column<ValidatingAdmissionPolicy>[] = named([
  count('Validations', ({ spec }) => spec?.validations?.length),
  text('ParamKind', ({ spec }) => (spec?.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : unset)),
  aged(),
]);

export const policyBindingColumns: Column<ValidatingAdmissionPolicyBinding>[] = named([
  text('PolicyName', ({ spec }) => spec?.policyName ?? ''),
  text('ParamRef', ({ spec }) => {
    const of = spec?.paramRef;
    if (of?.name) return `${of.namespace || '*'}/${of.name}`;
    return of?.selector ? selectorText(of.selector) : unset;
  }),
  aged(),
]);

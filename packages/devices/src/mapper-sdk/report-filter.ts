// Decides whether a value is worth a report: every one, or only changes beyond a deadband and an occasional sign of life.
import type { PropertySettings } from './device-settings.ts';

export interface Told {
  readonly text: string;
  readonly at: number;
  readonly observedDesired: string;
}

export function isWorthTelling(
  { conversion: { onChange, deadband = 0, maxAge } }: Pick<PropertySettings, 'conversion'>,
  told: Told | undefined,
  next: Told,
): boolean {
  if (!onChange || !told) return true;
  if (told.observedDesired !== next.observedDesired || next.at - told.at >= maxAge) return true;
  if (told.text === next.text) return false;
  const difference = Math.abs(Number(told.text) - Number(next.text));
  return Number.isNaN(difference) || difference > deadband;
}

// Durations, instants and the clock port.
export {
  between,
  days,
  formatDuration,
  hours,
  instant,
  milliseconds,
  minus,
  minutes,
  parseDuration,
  parseTime,
  plus,
  seconds,
  toMicroTime,
  toMilliTime,
  toTime,
} from './duration.ts';
export type { Duration, Instant } from './duration.ts';
export { withTimeout } from './clock.ts';
export type { Clock } from './clock.ts';

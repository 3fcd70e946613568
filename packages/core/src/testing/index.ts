// Test doubles of core: time that moves on command.
export { FakeClock } from './fake-clock.ts';

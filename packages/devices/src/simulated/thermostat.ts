// A room with a heater and a thermostat: the physics, as values. Temperatures are tenths of a degree only on the wire.

export interface Room {
  readonly temperature: number;
  readonly target: number;
  /** Off, the room cools down whatever the target is. */
  readonly enabled: boolean;
  readonly heating: boolean;
}

export const lowestTarget = 5;
export const highestTarget = 30;

const outside = 12;
/** Degrees per second. */
const heatingRate = 0.4;
/** Share of the difference to the outside that is lost in a second. */
const leak = 0.015;
/** The heater goes on that far below the target and off that far above it. */
const slack = 0.15;
const stepSeconds = 0.1;
/** Whoever looks after a longer time finds a room that has settled anyway. */
const longestSeconds = 600;

export const coldRoom: Room = { temperature: 18, target: 21, enabled: true, heating: true };

/** The room after some time. */
export function advance(room: Room, seconds: number): Room {
  let { temperature, heating } = room;
  const { target, enabled } = room;
  for (let left = Math.min(seconds, longestSeconds); left > 0; left -= stepSeconds) {
    const step = Math.min(left, stepSeconds);
    if (!enabled || temperature >= target + slack) heating = false;
    else if (temperature <= target - slack) heating = true;
    temperature += step * ((heating ? heatingRate : 0) - leak * (temperature - outside));
  }
  return { ...room, temperature, heating };
}

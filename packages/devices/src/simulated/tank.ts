// A tank that a pump fills and that runs out by itself: the physics, as values.

export interface Tank {
  /** Percent. */
  readonly level: number;
  readonly running: boolean;
  /** Percent of what the pump can do. */
  readonly speed: number;
}

/** What the pump brings at full speed, in percent of the tank per second. */
const fullFlow = 2;
/** What runs out, for the root of the level. */
const outlet = 0.12;
const stepSeconds = 0.1;
/** Whoever looks after a longer time finds a tank that has settled anyway. */
const longestSeconds = 600;

export const halfTank: Tank = { level: 40, running: true, speed: 50 };

/** Percent of the tank per second. */
export const inflow = ({ running, speed }: Tank): number => (running ? (fullFlow * speed) / 100 : 0);

/** The tank after some time. It does not run over: the level stays at 100. */
export function fill(tank: Tank, seconds: number): Tank {
  let { level } = tank;
  for (let left = Math.min(seconds, longestSeconds); left > 0; left -= stepSeconds) {
    const change = inflow(tank) - outlet * Math.sqrt(level);
    level = Math.min(100, Math.max(0, level + Math.min(left, stepSeconds) * change));
  }
  return { ...tank, level };
}

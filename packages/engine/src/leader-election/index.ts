// Leader election over a Lease: several processes may run, one works.
//
//     const election = createLeaderElection({ api, clock, log, random, lease: { namespace: 'kubeedge', name: 'cloudcore' }, identity });
//     scope.spawn('leader', (signal) => election.run(work, signal));
export { createLeaderElection } from './leader-election.ts';
export type { LeaderElection, LeaderElectionOptions, Timing } from './leader-election.ts';
export { leaderErrors } from './leader-errors.ts';

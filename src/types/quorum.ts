// Quorum arithmetic. Any two quorums share f+1 replicas and a quorum of correct replicas always exists: q = ceil((n+f+1)/2) with
// f = floor((n-1)/3). For n other than 3f+1 the textbook 2f+1 is too small: at n = 6 two disjoint majorities of it could fork.

/** How many of `n` validators may be faulty. */
export const faultsTolerated = (n: number): number => Math.floor((n - 1) / 3)

/** Votes that make a certificate among `n` validators. */
export const quorumOf = (n: number): number => Math.ceil((n + faultsTolerated(n) + 1) / 2)

/** Votes of which at least one is a correct validator's. */
export const weakQuorumOf = (n: number): number => faultsTolerated(n) + 1

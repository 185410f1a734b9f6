/** Of each side at most so many devices are watched: a thousand tell what a million would, and a look costs the same for both fleets. */
export const watchedAtMost = 1_000;

/** Milliseconds since 1970, by the clock that page and worker share. */
export const epoch = (): number => performance.timeOrigin + performance.now();

/**
 * A node's memory is bounded, and its log is the part that takes longest to get there: about a quarter of an hour under this load, and then it is cut and grows
 * anew. Cut sooner it is the same all the time, so that what grows is something else.
 */
export const nodeArguments: readonly string[] = ['--snapshot-entries', '5000']

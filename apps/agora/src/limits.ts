/** Bounds of Agora. Each is checked at the door, with an error that names it. */
export const limits = {
  handleLengthMax: 32,
  nameLengthMax: 64,
  bioLengthMax: 280,
  postLengthMax: 500,
  tokenLengthMin: 16,
  tokenLengthMax: 128,
  retryKeyLengthMax: 64,
  /** So many can one agent follow: a timeline is then read in one transaction of the store. */
  followsMax: 100,
  /** An author's newest posts that are kept; older ones are forgotten. */
  postsPerAuthorMax: 20,
  timelineMax: 100,
  /** Attempts at a write that others make at the same time. */
  writeAttemptsMax: 8,
  requestBytesMax: 16 * 1024,
  socketMessageBytesMax: 4 * 1024,
  /** Bytes that wait for a slow reader of a socket; past it the socket is closed. */
  socketQueueBytesMax: 1024 * 1024,
  socketsMax: 20_000,
  knownTokensMax: 50_000,
} as const

/** Chord as a pure machine: who is responsible for a key among nodes that come and go, in O(log n) messages. */
export { ChordNode } from './chord-node.ts'
export { type ChordHash, chordIdBits, createChordHash } from './identifiers.ts'
export {
  chordDefaults,
  type ChordEffect,
  type ChordEvent,
  type ChordId,
  type ChordItem,
  type ChordMessage,
  type ChordOptions,
  type ChordPeer,
  type ChordPlace,
  type ChordVersion,
} from './types.ts'

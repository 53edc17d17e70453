/** Within a node's data folder: its log and snapshots. */
export const storeDirectory = 'store'

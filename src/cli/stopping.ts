// Waiting for the signal that ends a command which runs until it is told to stop.

/** How long after the first signal another one still counts as the same: terminals and wrappers deliver one more than once. */
const SAME_SIGNAL_MS = 1_000

/**
 * Resolves at SIGINT or SIGTERM. A second signal a while later ends the process at once, for those who do not want to wait. Where
 * the process that started this one keeps a channel, what a terminal sends to both is that one's to act on: this one ends at
 * SIGTERM, or when the channel closes.
 */
export function untilStopped(): Promise<void> {
  let stoppedAt: number | undefined
  return new Promise((resolve) => {
    const stop = () => {
      if (stoppedAt !== undefined && Date.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(1)
      stoppedAt ??= Date.now()
      resolve()
    }
    process.on('SIGTERM', stop)
    if (!process.connected) {
      process.on('SIGINT', stop)
      return
    }
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
    process.once('disconnect', () => {
      stoppedAt ??= Date.now()
      resolve()
    })
  })
}

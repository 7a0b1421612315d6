// Waiting for the signal that ends a command which runs until it is told to stop.

/** How long after the first signal another one still counts as the same: terminals and wrappers deliver one more than once. */
const SAME_SIGNAL_MS = 1_000

/**
 * Resolves at SIGINT or SIGTERM, or when the process that started this one goes away where it keeps a channel. A second signal a
 * while later ends the process at once, for those who do not want to wait.
 */
export function untilStopped(): Promise<void> {
  let stoppedAt: number | undefined
  return new Promise((resolve) => {
    const stop = () => {
      if (stoppedAt !== undefined && Date.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(1)
      stoppedAt ??= Date.now()
      resolve()
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
    if (process.connected) {
      process.once('disconnect', () => {
        stoppedAt ??= Date.now()
        resolve()
      })
    }
  })
}

// Clients that wait for a transaction to run, or for a height to be certified.

/** How far a transaction has come: its block is durable here, or a quorum vouches for that block. */
export type Milestone = 'executed' | 'certified'

export interface Waiters {
  onExecuted(height: number, ids: string[]): void
  onCertified(height: number): void
  /** Resolves true at the milestone, false at the timeout or when `signal` aborts. */
  transaction(id: string, until: Milestone, timeoutMs: number, signal?: AbortSignal): Promise<boolean>
  height(height: number, timeoutMs: number): Promise<boolean>
  count(): number
}

interface Waiter {
  until: Milestone
  resolve: (reached: boolean) => void
}

/** `find` tells the height of a transaction that has run; `certifiedHeight` what is certified now. */
export function createWaiters(ports: {
  find(id: string): Promise<number | undefined>
  certifiedHeight(): number
}): Waiters {
  const byId = new Map<string, Set<Waiter>>()
  const byHeight = new Map<number, Set<(reached: boolean) => void>>()

  function atHeight(height: number, resolve: (reached: boolean) => void): void {
    const waiting = byHeight.get(height) ?? new Set()
    byHeight.set(height, waiting.add(resolve))
  }

  /** The transaction ran at `height`: who waits for that is done, who waits for the certificate goes on waiting for the height. */
  function settle(id: string, height: number): void {
    for (const waiter of byId.get(id) ?? []) {
      if (waiter.until === 'executed' || height <= ports.certifiedHeight()) waiter.resolve(true)
      else atHeight(height, waiter.resolve)
    }
    byId.delete(id)
  }

  function withTimeout(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    wait: (resolve: (reached: boolean) => void) => () => void,
  ) {
    if (signal?.aborted) return Promise.resolve(false)
    return new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => finish(false), timeoutMs)
      const abort = () => finish(false)
      const forget = wait((reached) => finish(reached))
      signal?.addEventListener('abort', abort)
      function finish(reached: boolean): void {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        forget()
        resolve(reached)
      }
    })
  }

  return {
    onExecuted(height, ids) {
      for (const id of ids) if (byId.has(id)) settle(id, height)
    },
    onCertified(height) {
      for (const [waitedFor, waiting] of byHeight) {
        if (waitedFor > height) continue
        byHeight.delete(waitedFor)
        for (const resolve of waiting) resolve(true)
      }
    },
    transaction(id, until, timeoutMs, signal) {
      return withTimeout(timeoutMs, signal, (resolve) => {
        const waiter: Waiter = { until, resolve }
        byId.set(id, (byId.get(id) ?? new Set()).add(waiter))
        // It may have run before anyone waited: asked after registering, so that neither order misses it.
        ports.find(id).then(
          (height) => height !== undefined && settle(id, height),
          () => resolve(false),
        )
        return () => {
          byId.get(id)?.delete(waiter)
          if (byId.get(id)?.size === 0) byId.delete(id)
          for (const [height, waiting] of byHeight) {
            if (waiting.delete(resolve) && waiting.size === 0) byHeight.delete(height)
          }
        }
      })
    },
    height(height, timeoutMs) {
      if (height <= ports.certifiedHeight()) return Promise.resolve(true)
      return withTimeout(timeoutMs, undefined, (resolve) => {
        atHeight(height, resolve)
        return () => {
          byHeight.get(height)?.delete(resolve)
          if (byHeight.get(height)?.size === 0) byHeight.delete(height)
        }
      })
    },
    count: () => byId.size + byHeight.size,
  }
}

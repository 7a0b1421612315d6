// Values sorted by a small whole number, with the highest one at hand: how the pool finds what to evict without looking at
// everything it holds.
import { Chain, type Link } from './chain.ts'

export class Levels<T> {
  readonly #chains: Chain<T>[] = []
  #highest = 0

  /** Puts the link at `level`; level 0 takes it out. Putting it where it already is keeps its place. */
  put(link: Link<T>, level: number): void {
    if (level === 0) {
      link.chain?.remove(link)
      return
    }
    while (this.#chains.length <= level) this.#chains.push(new Chain())
    const chain = this.#chains[level]!
    if (link.chain !== chain) chain.push(link)
    if (level > this.#highest) this.#highest = level
  }

  /** The highest level that holds anything, with its newest value. */
  top(): { level: number; value: T } | undefined {
    while (this.#highest > 0 && this.#chains[this.#highest]!.last === undefined) this.#highest--
    const link = this.#chains[this.#highest]?.last
    return link === undefined ? undefined : { level: this.#highest, value: link.value }
  }
}

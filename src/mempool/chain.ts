// A doubly linked list whose links the values own, so that moving to the back and leaving from the middle cost the same few
// assignments at any length. (A Map or Set keeps holes where entries were deleted, and walks over them from the front.)

export interface Link<T> {
  readonly value: T
  chain: Chain<T> | undefined
  previous: Link<T> | undefined
  next: Link<T> | undefined
}

export function createLink<T>(value: T): Link<T> {
  return { value, chain: undefined, previous: undefined, next: undefined }
}

export class Chain<T> {
  first: Link<T> | undefined
  last: Link<T> | undefined

  /** Puts the link at the back, taking it out of whichever chain it is in. */
  push(link: Link<T>): void {
    link.chain?.remove(link)
    link.chain = this
    link.previous = this.last
    if (this.last === undefined) this.first = link
    else this.last.next = link
    this.last = link
  }

  /** Takes the link out; a link of another chain, or of none, is left alone. */
  remove(link: Link<T>): void {
    if (link.chain !== this) return
    if (link.previous === undefined) this.first = link.next
    else link.previous.next = link.next
    if (link.next === undefined) this.last = link.previous
    else link.next.previous = link.previous
    link.chain = undefined
    link.previous = undefined
    link.next = undefined
  }
}

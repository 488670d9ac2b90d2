/**
 * A set for what comes and goes all the time: each member knows its place in an array, and the last one takes the place
 * of one that leaves. To join and to leave costs an assignment.
 *
 * A `Set` would do the same for ten times the garbage. V8's sets grow into new tables as members come and go, and an old
 * table points to the next; once one of them has grown old, everybody who was in any table since is kept alive by it,
 * until V8 marks its whole heap. Of connections that come and go, each scavenge would copy thousands that are gone.
 */

export interface Member {
  /** Its place in the bag that it is in, or -1. */
  place: number
}

export class Bag<A extends Member> implements Iterable<A> {
  private readonly members: Array<A> = []

  get size(): number {
    return this.members.length
  }

  add(member: A): void {
    member.place = this.members.length
    this.members.push(member)
  }

  /** Whether it was there. */
  delete(member: A): boolean {
    const { place } = member
    if (place < 0) return false
    member.place = -1
    const last = this.members.pop()!
    if (last !== member) {
      this.members[place] = last
      last.place = place
    }
    return true
  }

  /** Those who are there now, and have not left before their turn. */
  *[Symbol.iterator](): Generator<A> {
    for (const member of this.members.slice()) if (member.place >= 0) yield member
  }
}

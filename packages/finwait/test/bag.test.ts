import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Bag, type Member } from "../src/internal/bag.ts"

const member = (): Member => ({ place: -1 })

describe("a bag", () => {
  it("has whoever has joined and not left, whatever the order", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 60 }), (steps) => {
        const members = Array.from({ length: 10 }, member)
        const bag = new Bag<Member>()
        const set = new Set<Member>()
        for (const step of steps) {
          const one = members[step]!
          if (set.has(one)) assert.strictEqual(bag.delete(one), set.delete(one))
          else {
            assert.isFalse(bag.delete(one))
            bag.add(one)
            set.add(one)
          }
          assert.strictEqual(bag.size, set.size)
          assert.isTrue([...bag].every((one) => set.has(one)))
        }
      })
    )
  })

  it("is gone through by who leaves, makes others leave, and joins meanwhile", () => {
    const [a, b, c, d] = [member(), member(), member(), member()] as const
    const bag = new Bag<Member>()
    for (const one of [a, b, c]) bag.add(one)
    const seen: Array<Member> = []
    for (const one of bag) {
      seen.push(one)
      bag.delete(one)
      if (one === a) {
        bag.delete(b)
        bag.add(d)
      }
    }
    assert.deepStrictEqual(seen, [a, c])
    assert.deepStrictEqual([...bag], [d])
  })
})

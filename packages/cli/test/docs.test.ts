/** The page that explains the scorecard says what the scenarios say. */
import { readFileSync } from "node:fs"
import { assert, it } from "vitest"
import { page as written } from "../src/scenarios/explained.ts"
import { scenarios } from "../src/scenarios/index.ts"

it("docs/scorecard.md is what `node packages/cli/src/docs.ts` writes", () => {
  const page = readFileSync(new URL("../../../docs/scorecard.md", import.meta.url), "utf8")
  assert.strictEqual(page, written(scenarios))
})

it("every scenario says what it means, what is good, and what to do", () => {
  for (const { fix, good, id, meaning, title } of scenarios) {
    for (const text of [meaning, good, fix]) assert.match(text, /\.$/, id)
    assert.isAtLeast(meaning.length, 100, id)
    assert.isAtMost(title.length, 40, id)
  }
})

/** Writes `docs/scorecard.md`. */
import { writeFileSync } from "node:fs"
import { page } from "./scenarios/explained.ts"
import { scenarios } from "./scenarios/index.ts"

writeFileSync(new URL("../../../docs/scorecard.md", import.meta.url), page(scenarios))

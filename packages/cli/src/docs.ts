/** Writes `docs/scorecard.md`. */
import { writeFileSync } from "node:fs"
import { explain } from "./report/explain.ts"
import { scenarios } from "./scenarios/index.ts"

writeFileSync(new URL("../../../docs/scorecard.md", import.meta.url), explain(scenarios))

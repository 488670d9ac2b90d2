/** The test runner ends its processes before Node writes what it has counted: it is written after each file instead. */
import { takeCoverage } from "node:v8"
import { afterAll } from "vitest"

afterAll(() => takeCoverage())

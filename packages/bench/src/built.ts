/**
 * Loaded before a server program: Finwait as it is published, compiled, in place of its TypeScript. The sources that
 * Node keeps for its stack traces and the types it strips are not what users pay for.
 */
import { registerHooks } from "node:module"

const packages = new URL("../../", import.meta.url)
const folders: Record<string, string> = { finwait: "finwait", "@finwait/node": "node" }

registerHooks({
  resolve: (specifier, context, next) => {
    const [, name, module = "index"] = /^(finwait|@finwait\/node)(?:\/(.*))?$/.exec(specifier) ?? []
    if (name === undefined) return next(specifier, context)
    return { url: new URL(`${folders[name]}/dist/${module}.js`, packages).href, shortCircuit: true }
  }
})

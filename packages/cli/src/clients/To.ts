/** Where a server listens: a port of this machine, one of another, or a Unix socket. */
export type To = number | { readonly host: string; readonly port: number } | { readonly path: string }

/** The port, of those that have one. */
export const portOf = (to: To): number | undefined => (typeof to === "number" ? to : "port" in to ? to.port : undefined)

/** The path, of a Unix socket. */
export const pathOf = (to: To): string | undefined => (typeof to !== "number" && "path" in to ? to.path : undefined)

/** As Node's sockets are told. */
export const targetOf = (to: To): { readonly host: string; readonly port: number } | { readonly path: string } =>
  typeof to === "number" ? { host: "127.0.0.1", port: to } : to

/** HTTP's `Host`: a Unix socket has no name of its own. */
export const hostOf = (to: To): string => (pathOf(to) === undefined ? describe(to) : "localhost")

/** For those who read it. */
export const describe = (to: To): string => {
  const target = targetOf(to)
  if ("path" in target) return target.path
  return target.host.includes(":") ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`
}

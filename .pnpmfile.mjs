// The npm packages that carry Node's own binaries state their platform as a string; pnpm reads only arrays, and would
// otherwise install the wrong one and leave the others out of the lockfile.
const list = (value) => (typeof value === "string" ? [value] : value)

export const hooks = {
  readPackage(pkg) {
    if (/^node-(bin-)?(darwin|linux|win)-/.test(pkg.name ?? "")) {
      pkg.os = list(pkg.os)
      pkg.cpu = list(pkg.cpu)
    }
    return pkg
  }
}

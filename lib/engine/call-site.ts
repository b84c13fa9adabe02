/** Stack frames of this engine, of packages (tfjs's are source-mapped to its own folders) and of Node itself. */
const FOREIGN =
  /node_modules|[\\/]lib[\\/]engine[\\/]|[\\/]tfjs[\w-]*[\\/](src|dist)[\\/]|node:|<anonymous>\)$/

/** The first stack line in the caller's own code. */
export function callSite(origin: Error | undefined): string {
  const lines = (origin?.stack ?? '').split('\n').slice(1)
  const own = lines.find((line) => !FOREIGN.test(line))
  return (own ?? 'unknown place').trim().replace(/^at /, '')
}

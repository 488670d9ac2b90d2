/**
 * Which runners there are, and which of them has which shard: in a file of SQLite that all of them open, so that a
 * cluster on one machine needs nothing else. One of several machines has it in a database server, by Effect's own
 * `SqlRunnerStorage`.
 */
import { Clock, Duration, Effect, Layer } from "effect"
import { ClusterError, RunnerStorage, ShardingConfig } from "effect/cluster"
import { DatabaseSync } from "node:sqlite"

const tables = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS runners
    (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT UNIQUE NOT NULL, runner TEXT NOT NULL, healthy INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS shards (shard TEXT PRIMARY KEY, address TEXT NOT NULL, since INTEGER NOT NULL);
`

interface Shard {
  readonly shard: string
}

const make = Effect.fnUntraced(function* (path: string) {
  const config = yield* ShardingConfig.ShardingConfig
  const expiration = Duration.toMillis(Duration.fromInputUnsafe(config.shardLockExpiration))
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(path, { timeout: 5000 })),
    (database) => Effect.sync(() => database.close())
  )
  database.exec(tables)

  /** A statement, and its rows when it is run. */
  const sql = <Row>(text: string) => {
    const statement = database.prepare(text)
    return (...values: ReadonlyArray<string | number>) =>
      Effect.try({
        try: () => statement.all(...values) as unknown as ReadonlyArray<Row>,
        catch: (cause) => new ClusterError.PersistenceError({ cause })
      })
  }

  const runners = sql<{ readonly runner: string; readonly healthy: number }>("SELECT runner, healthy FROM runners")
  const register = sql<{ readonly id: number }>(`
    INSERT INTO runners (address, runner, healthy) VALUES (?, ?, ?)
    ON CONFLICT (address) DO UPDATE SET runner = excluded.runner, healthy = excluded.healthy RETURNING id`)
  const unregister = sql("DELETE FROM runners WHERE address = ?")
  const setHealth = sql("UPDATE runners SET healthy = ? WHERE address = ?")
  // Those that are free, or ours, or of somebody who has not said for long that he is still there.
  const acquire = sql<Shard>(`
    INSERT INTO shards (shard, address, since) SELECT value, ?, ? FROM json_each(?) WHERE true
    ON CONFLICT (shard) DO UPDATE SET address = excluded.address, since = excluded.since
    WHERE address = excluded.address OR since < ? RETURNING shard`)
  const refresh = sql<Shard>(
    "UPDATE shards SET since = ? WHERE address = ? AND shard IN (SELECT value FROM json_each(?)) RETURNING shard"
  )
  const release = sql("DELETE FROM shards WHERE address = ? AND shard = ?")
  const releaseAll = sql("DELETE FROM shards WHERE address = ?")

  const shardsOf = (rows: ReadonlyArray<Shard>) => rows.map(({ shard }) => shard)

  return RunnerStorage.makeEncoded({
    getRunners: Effect.map(runners(), (rows) => rows.map(({ healthy, runner }) => [runner, healthy === 1] as const)),
    register: (address, runner, healthy) => Effect.map(register(address, runner, healthy ? 1 : 0), ([row]) => row!.id),
    unregister: (address) => Effect.asVoid(unregister(address)),
    setRunnerHealth: (address, healthy) => Effect.asVoid(setHealth(healthy ? 1 : 0, address)),
    acquire: Effect.fnUntraced(function* (address, shards) {
      const now = yield* Clock.currentTimeMillis
      return shardsOf(yield* acquire(address, now, JSON.stringify(shards), now - expiration))
    }),
    refresh: Effect.fnUntraced(function* (address, shards) {
      return shardsOf(yield* refresh(yield* Clock.currentTimeMillis, address, JSON.stringify(shards)))
    }),
    release: (address, shard) => Effect.asVoid(release(address, shard)),
    releaseAll: (address) => Effect.asVoid(releaseAll(address))
  })
})

export const layer = (path: string) => Layer.effect(RunnerStorage.RunnerStorage, make(path))

/** A number that only grows, and that can be waited for. */
export class Count {
  value = 0
  private waiting: Array<{ readonly least: number; readonly resolve: () => void }> = []

  add(): void {
    this.value++
    if (this.waiting.length === 0) return
    const { value } = this
    this.waiting = this.waiting.filter(({ least, resolve }) => {
      if (value >= least) resolve()
      return value < least
    })
  }

  /** Once it is so large. */
  reaches(least: number): Promise<void> {
    if (this.value >= least) return Promise.resolve()
    return new Promise((resolve) => this.waiting.push({ least, resolve }))
  }
}

/**
 * What a law asks for, and what there was instead. Which law it was is known only to who runs them.
 */
export class Unmet {
  readonly _tag = "Unmet"
  readonly expected: string
  readonly happened: string

  constructor(expected: string, happened: string) {
    this.expected = expected
    this.happened = happened
  }
}

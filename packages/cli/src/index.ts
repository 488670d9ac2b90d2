/** What a check finds out, as data. */
export { decode, encode, Report, type Row, version } from "./report/Report.ts"

/**
 * Thrown by what the small bundle of the executables leaves out: the process begins again with the whole program
 * (scripts/build.ts). Nothing may have been changed before. From source it is never thrown.
 */
export class Elsewhere extends Error {}

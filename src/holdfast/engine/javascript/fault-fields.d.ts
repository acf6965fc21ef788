// The optional fields of a Fault. They cannot stand in the class: a declared field is a property,
// and the enumerable properties of a Fault are what `state.errors` shows.

import './faults.mjs';

declare module './faults.mjs' {
  interface Fault {
    /** fail, crash, kill or exception; job code may have made up another. */
    severity?: unknown;
    subtype?: string;
    /** What the author can do. */
    fix?: string;
    details?: unknown;
    /** What threw, as `state.errors` shows it. */
    pos?: Position;
    /** The step's name, where positions are the author's. */
    step?: string;
    /** The author's line and name of the operation that reported the error. */
    line?: number;
    operationName?: string;

    // hidden: only for the log and the journal
    stack?: string;
    /** Where the author's step was. */
    at?: Position;
    edge?: { from: string; to: string; text: string };
    raisedIn?: Operation;
    more?: Bag;
    /** What an explanation needs (holdfast.diagnosis). */
    facts?: Bag;
  }
}

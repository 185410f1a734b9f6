import { unwrap } from 'solid-js/store';

/**
 * A thing as it is now, for a form about it: lists are fetched again while it is open, and neither what was typed nor what it is compared
 * with may change by that.
 */
export const asSeen = <T extends object>(thing: T): T => structuredClone(unwrap(thing));

import { AppError } from '../errors.ts';
import { sqlState, uniqueViolation } from './query.ts';

/** A write of what has a name of its own. Throws `name_taken` where `name` is another's. */
export async function orNameTaken<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (sqlState(error) !== uniqueViolation) throw error;
    throw new AppError('name_taken', `${name} is there already.`, { cause: error });
  }
}

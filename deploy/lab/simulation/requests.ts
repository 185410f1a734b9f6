/** What a command on the request topic says, as far as the simulation looks. */
export interface Request {
  deployment: string;
  attempt: number;
  manifest: string;
  /** None: it is an undo. */
  url?: string;
}

export const readRequest = (payload: string) => JSON.parse(payload) as Request;

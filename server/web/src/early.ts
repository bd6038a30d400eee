// What the technician's page asks the server first: who it is, and what they have to do; and what the phone keeps. A script of its
// own, small and before the others: the answers are on their way while those are still being fetched and read. `api.ts` takes the
// server's, each once.
import './kept';

const ask = async (path: string): Promise<[Response, number]> => {
  const response = await fetch(path, { headers: { accept: 'application/json' }, credentials: 'same-origin' });
  return [response, Date.now()];
};
/** By path: the answer, and when it came by this device's clock. */
export const early = new Map(['/api/v1/me', '/api/v1/visits?mine=true'].map((path) => [path, ask(path)]));
for (const answer of early.values()) answer.catch(() => {});

// Compiles one TypeScript module of the page, with what it imports, so that node's test runner can call it.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

/** The exports of `src/<path>`. */
export async function load(path) {
  const entry = fileURLToPath(new URL(`../src/${path}`, import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false, platform: 'neutral' });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);
}
